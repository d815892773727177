/*
 * Calls that are begun and never go on, from senders who do not exist: the first packet of a request whose rest never comes, each
 * from another address of 198.18.0.0/15 (RFC 2544) and of another connection.
 *
 *     flood-client HOST PORT RATE
 *
 * Sends RATE of them a second until standard input ends, and then prints how many that were. The addresses have to be local ones
 * (`ip route add local 198.18.0.0/15 dev lo`); what is sent to them arrives here and is dropped unread, so that the server hears
 * nothing, not even that nobody listens.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define CALLBACK_PORT 7001
#define FIRST_SOURCE 0xc6120000u
#define SOURCES (1u << 17)
#define HEADER 28
#define BODY 1000
#define TICKS 1000

/* Rx header (rx/rx_packet.h): DATA of a client, first of its call, more to come, service 1. */
static void describe(unsigned char *bytes, uint32_t number) {
  uint32_t words[4] = {htonl(0x40000000u | number), htonl(number << 2), htonl(1), htonl(1)};
  memcpy(bytes, words, sizeof(words));
  bytes[19] = 1;
  bytes[20] = 1;
  bytes[21] = 1;
  bytes[27] = 1;
}

/* The sender's address rides beside the datagram (ip(7), IP_PKTINFO). */
static int sendFrom(int socket, struct sockaddr_in *server, uint32_t source, unsigned char *bytes) {
  union {
    char room[CMSG_SPACE(sizeof(struct in_pktinfo))];
    struct cmsghdr align;
  } control;
  struct iovec data = {bytes, HEADER + BODY};
  struct msghdr message = {server, sizeof(*server), &data, 1, &control, sizeof(control), 0};
  memset(&control, 0, sizeof(control));
  struct cmsghdr *header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = IPPROTO_IP;
  header->cmsg_type = IP_PKTINFO;
  header->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  ((struct in_pktinfo *)CMSG_DATA(header))->ipi_spec_dst.s_addr = htonl(source);
  return sendmsg(socket, &message, 0) > 0;
}

static int openSocket(void) {
  struct sockaddr_in any = {AF_INET, htons(CALLBACK_PORT), {INADDR_ANY}, {0}};
  int one = socket(AF_INET, SOCK_DGRAM, 0);
  return one >= 0 && bind(one, (struct sockaddr *)&any, sizeof(any)) == 0 ? one : -1;
}

static int isOver(void) {
  struct pollfd input = {STDIN_FILENO, POLLIN, 0};
  return poll(&input, 1, 0) > 0;
}

static void waitFor(struct timespec *tick) {
  tick->tv_nsec += 1000000000 / TICKS;
  if (tick->tv_nsec >= 1000000000) {
    tick->tv_nsec -= 1000000000;
    tick->tv_sec++;
  }
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, tick, NULL);
}

int main(int count, char **words) {
  struct sockaddr_in server = {AF_INET, 0, {0}, {0}};
  if (count != 4 || inet_aton(words[1], &server.sin_addr) == 0) {
    fprintf(stderr, "flood-client HOST PORT RATE\n");
    return 2;
  }
  server.sin_port = htons(atoi(words[2]));
  long perTick = atol(words[3]) / TICKS;
  unsigned char bytes[HEADER + BODY] = {0};
  int socket = openSocket();
  if (socket < 0) {
    perror("flood-client");
    return 1;
  }
  struct timespec tick;
  clock_gettime(CLOCK_MONOTONIC, &tick);
  uint32_t number = 0;
  long sent = 0;
  while (!isOver()) {
    for (long index = 0; index < perTick; index++, number++) {
      describe(bytes, number);
      sent += sendFrom(socket, &server, FIRST_SOURCE + number % SOURCES, bytes);
    }
    waitFor(&tick);
  }
  printf("%ld\n", sent);
  return 0;
}
