/**
 * How an RPC interface is declared: each procedure once, with its opcode and its arguments in the order of the protocol's
 * own declaration. Server dispatch (common/rpc/service.ts) and client stubs (common/rpc/client.ts) both come from it.
 *
 * A request is the opcode, then the IN and INOUT arguments; a reply the OUT and INOUT arguments. A *split* procedure moves
 * bytes in the same stream: from the client behind the request's arguments, from the server before the reply's.
 */
import { struct } from "../codec/xdr-composite.ts"
import type { Xdr } from "../codec/xdr-type.ts"

type Direction = "in" | "out" | "inout"

interface Argument<T = unknown, D extends Direction = Direction> {
  readonly direction: D
  readonly type: Xdr<T>
}

export const IN = <T>(type: Xdr<T>): Argument<T, "in"> => ({ direction: "in", type })
export const OUT = <T>(type: Xdr<T>): Argument<T, "out"> => ({ direction: "out", type })
export const INOUT = <T>(type: Xdr<T>): Argument<T, "inout"> => ({ direction: "inout", type })

type Arguments = Readonly<Record<string, Argument>>
type TypeOf<A> = A extends Argument<infer T> ? T : never
type Side<A, D extends Direction> = {
  readonly [Key in keyof A as A[Key] extends Argument<unknown, D> ? Key : never]: TypeOf<A[Key]>
}

/** Bytes that a split procedure moves. */
export type Bulk =
  /** Behind the arguments, up to the end of the request. */
  | { readonly from: "client" }
  /**
   * Before the results. `length` is the integer that comes first and says how many; without it all bytes up to the end
   * are data, and there are no results.
   */
  | { readonly from: "server"; readonly length: Xdr<number> | undefined }

/** One procedure. `Ask` and `Reply` are the arguments that go there and come back; `Moves` says whose bytes it moves. */
export interface Operation<
  Ask = unknown,
  Reply = unknown,
  Moves extends Bulk["from"] | undefined = Bulk["from"] | undefined,
> {
  /** With the interface's prefix, `RXAFS_FetchStatus`; set by `rpcInterface`. */
  readonly name: string
  readonly opcode: number
  readonly request: Xdr<Ask>
  readonly reply: Xdr<Reply>
  readonly bulk: Bulk | undefined
  /** Never set: carries Moves for the compiler. */
  readonly moves?: Moves
}

type Named<Moves extends Bulk["from"] | undefined, A> = (
  name: string,
) => Operation<Side<A, "in" | "inout">, Side<A, "out" | "inout">, Moves>

function sideOf(name: string, args: Arguments, left: Direction): Xdr<unknown> {
  const fields = Object.entries(args)
    .filter(([, { direction }]) => direction !== left)
    .map(([key, { type }]): [string, Xdr<unknown>] => [key, type])
  return struct(name, Object.fromEntries(fields))
}

function procedure<A extends Arguments, Moves extends Bulk["from"] | undefined>(
  opcode: number,
  args: A,
  bulk: Bulk | undefined,
): Named<Moves, A> {
  return (name) => ({
    name,
    opcode,
    // The fields are the arguments of that direction: what Side says of them.
    request: sideOf(name, args, "out") as Xdr<Side<A, "in" | "inout">>,
    reply: sideOf(name, args, "in") as Xdr<Side<A, "out" | "inout">>,
    bulk,
  })
}

/** A procedure without a byte stream. */
export const operation = <const A extends Arguments>(opcode: number, args: A): Named<undefined, A> =>
  procedure(opcode, args, undefined)

/** A split procedure that takes bytes from the client, behind its arguments. */
export const upload = <const A extends Arguments>(opcode: number, args: A): Named<"client", A> =>
  procedure(opcode, args, { from: "client" })

/** A split procedure that sends bytes to the client, before its results; `length` is the integer that goes first. */
export const download = <const A extends Arguments>(
  opcode: number,
  args: A,
  length: Xdr<number> | undefined,
): Named<"server", A> => procedure(opcode, args, { from: "server", length })

type NamedOperations = Readonly<Record<string, (name: string) => Operation>>

/** The procedures of one service. */
export interface RpcInterface<Operations = Readonly<Record<string, Operation>>> {
  /** Prefix of its procedures, `RXAFS`. */
  readonly name: string
  /** Rx service id. */
  readonly service: number
  /**
   * The opcodes are contiguous: for such packages the servers' stubs turn ENOSPC into VDISKFULL and EDQUOT into
   * VOVERQUOTA (OpenAFS rx/rx_misc.c).
   */
  readonly isContiguous: boolean
  readonly operations: Operations
  /** Undefined for a number that no procedure has. */
  byOpcode(opcode: number): Operation | undefined
}

type Declared<N> = { readonly [Key in keyof N]: N[Key] extends (name: string) => infer O ? O : never }

/** @throws Error at load time if two procedures share an opcode. */
export function rpcInterface<const N extends NamedOperations>(
  name: string,
  options: { readonly service: number; readonly isContiguous?: boolean },
  procedures: N,
): RpcInterface<Declared<N>> {
  const rows = new Map<number, Operation>()
  const operations: Record<string, Operation> = {}
  for (const [key, make] of Object.entries(procedures)) {
    const row = make(`${name}_${key}`)
    const other = rows.get(row.opcode)
    if (other !== undefined) throw new Error(`${row.name} and ${other.name} are both ${row.opcode}`)
    rows.set(row.opcode, row)
    operations[key] = row
  }
  return {
    name,
    service: options.service,
    isContiguous: options.isContiguous ?? false,
    operations: operations as Declared<N>,
    byOpcode: (opcode) => rows.get(opcode),
  }
}
