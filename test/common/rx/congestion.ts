import test from "ava"
import { Congestion } from "../../../common/rx/congestion.ts"
import { windowMax } from "../../../common/rx/limits.ts"
import { HostFlight, Peer } from "../../../common/rx/peer.ts"

function opened(window: number, threshold: number = windowMax) {
  const peer = new Peer(1, 7001, new HostFlight(1), 2000)
  peer.congestionWindow = window
  peer.slowStartThreshold = threshold
  const congestion = new Congestion()
  congestion.open(peer)
  return { congestion, peer }
}

test("congestion: the window grows with each arrival below the threshold, by one for each full window above it", (t) => {
  const { congestion, peer } = opened(4, 8)
  congestion.arrived(4, 4, 5)
  t.is(congestion.window, 8)
  congestion.arrived(7, 8, 12)
  t.is(congestion.window, 8)
  congestion.arrived(1, 8, 13)
  t.is(congestion.window, 9)
  congestion.close(peer)
  t.deepEqual([peer.congestionWindow, peer.slowStartThreshold], [9, 8])
})

test("congestion: a window that was not full does not grow, and none grows above the largest", (t) => {
  const { congestion } = opened(4)
  congestion.arrived(3, 3, 4)
  t.is(congestion.window, 4)
  const wide = opened(windowMax - 2).congestion
  wide.arrived(5, windowMax, 6)
  t.is(wide.window, windowMax)
})

test("congestion: a loss halves the window once for what was on the way, and nothing grows until that has arrived", (t) => {
  const { congestion } = opened(16)
  t.true(congestion.isNews(1))
  congestion.overtaken(32, 17)
  t.deepEqual([congestion.window, congestion.threshold, congestion.isRecovering], [8, 8, true])
  t.deepEqual([congestion.isNews(16), congestion.isNews(17)], [false, true])
  congestion.arrived(8, 8, 16)
  t.is(congestion.window, 8)
  congestion.arrived(8, 8, 17)
  t.is(congestion.window, 9)
})

test("congestion: a timeout begins again with one packet, and the peer's window counts if it is the smaller", (t) => {
  const { congestion } = opened(30)
  congestion.timedOut(8, 9)
  t.deepEqual([congestion.window, congestion.threshold, congestion.isRecovering], [1, 4, false])
  congestion.arrived(1, 1, 2)
  t.is(congestion.window, 2)
  const small = opened(2).congestion
  small.timedOut(32, 3)
  t.is(small.threshold, 2)
})

test("congestion: what it knew of one call is gone with the next", (t) => {
  const { congestion, peer } = opened(8, 4)
  congestion.arrived(7, 8, 8)
  congestion.overtaken(32, 30)
  congestion.close(peer)
  congestion.open(peer)
  t.deepEqual([congestion.window, congestion.threshold, congestion.isRecovering], [4, 4, false])
  t.true(congestion.isNews(1))
  congestion.arrived(1, 4, 2)
  t.is(congestion.window, 4)
})
