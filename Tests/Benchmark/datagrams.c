// Sends RFC 5424 datagrams, and receives datagrams doing nothing with them: the benchmarks' sender and what the kernel's way costs.
//   cc -O2 datagrams.c -o datagrams
//   datagrams send PORT RATE SECONDS SIZE   to 127.0.0.1; RATE 0: as fast as it goes
//   datagrams receive PORT SECONDS          recvmmsg, with a nap of a millisecond after a short batch, which fills the next one
// Each prints one JSON object.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>

#define BATCH 64
#define LARGEST 2048

static unsigned char data[BATCH][LARGEST];
static struct iovec vectors[BATCH];
static struct mmsghdr messages[BATCH];

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec * 1e-9;
}

static void nap(long microseconds) {
  struct timespec time = {0, microseconds * 1000};
  nanosleep(&time, NULL);
}

static int opened(int port, int is_receiver) {
  int descriptor = socket(AF_INET, SOCK_DGRAM, 0), buffer = 64 << 20, yes = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  if (is_receiver) {
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer)) setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    setsockopt(descriptor, SOL_SOCKET, SO_RXQ_OVFL, &yes, sizeof yes);
    struct timeval patience = {0, 100000};
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  }
  if (is_receiver ? bind(descriptor, (void *)&address, sizeof address) : connect(descriptor, (void *)&address, sizeof address)) {
    perror("datagrams");
    exit(1);
  }
  return descriptor;
}

static void send_datagrams(int port, double rate, double seconds, int size) {
  int descriptor = opened(port, 0);
  char clock[40];
  time_t time_now = time(NULL);
  strftime(clock, sizeof clock, "%Y-%m-%dT%H:%M:%S.000000Z", gmtime(&time_now));
  int number_at = 0;
  for (int i = 0; i < BATCH; i++) {
    static const char text[] = "request 7f3a served by worker 12 in 4 ms, 2048 bytes, cache hit, tenant blue; session renewed, next check in 30 s; ";
    number_at = sprintf((char *)data[i], "<134>1 %s web-03 shop 812 REQ - n=", clock);
    for (int at = number_at + 11; at < size; at++) data[i][at] = text[at % (sizeof text - 1)];
    data[i][number_at + 10] = ' ';
    vectors[i] = (struct iovec){data[i], size};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  unsigned long long sent = 0;
  double began = now();
  while (now() - began < seconds) {
    int count = BATCH;
    if (rate > 0) {
      double due = (now() - began) * rate - sent;
      if (due < 1) {
        nap(200);
        continue;
      }
      if (due < count) count = due;
    }
    for (int i = 0; i < count; i++) {
      unsigned long long number = sent + i;
      for (int digit = 9; digit >= 0; digit--, number /= 10) data[i][number_at + digit] = '0' + number % 10;
    }
    int done = sendmmsg(descriptor, messages, count, 0);
    if (done > 0) sent += done;
    else nap(100);
  }
  double took = now() - began;
  printf("{\"sent\": %llu, \"seconds\": %.3f, \"rate\": %.0f}\n", sent, took, sent / took);
}

static void receive_datagrams(int port, double seconds) {
  int descriptor = opened(port, 1);
  static char control[BATCH][64];
  static struct sockaddr_in from[BATCH];
  unsigned long long received = 0, bytes = 0;
  unsigned dropped = 0;
  double end = now() + seconds;
  while (now() < end) {
    for (int i = 0; i < BATCH; i++) {
      vectors[i] = (struct iovec){data[i], LARGEST};
      messages[i].msg_hdr = (struct msghdr){.msg_name = &from[i], .msg_namelen = sizeof from[i], .msg_iov = &vectors[i], .msg_iovlen = 1,
                                            .msg_control = control[i], .msg_controllen = sizeof control[i]};
    }
    int count = recvmmsg(descriptor, messages, BATCH, MSG_WAITFORONE, NULL);
    if (count <= 0) continue;
    received += count;
    for (int i = 0; i < count; i++) {
      bytes += messages[i].msg_len;
      for (struct cmsghdr *fact = CMSG_FIRSTHDR(&messages[i].msg_hdr); fact; fact = CMSG_NXTHDR(&messages[i].msg_hdr, fact))
        if (fact->cmsg_level == SOL_SOCKET && fact->cmsg_type == SO_RXQ_OVFL) memcpy(&dropped, CMSG_DATA(fact), sizeof dropped);
    }
    if (count < BATCH * 3 / 4) nap(1000);
  }
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"received\": %llu, \"bytes\": %llu, \"dropped\": %u, \"cpu_seconds\": %.6f}\n", received, bytes, dropped,
         usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6);
}

int main(int count, char **words) {
  if (count == 6 && !strcmp(words[1], "send")) send_datagrams(atoi(words[2]), atof(words[3]), atof(words[4]), atoi(words[5]));
  else if (count == 4 && !strcmp(words[1], "receive")) receive_datagrams(atoi(words[2]), atof(words[3]));
  else return fprintf(stderr, "usage: datagrams send PORT RATE SECONDS SIZE | receive PORT SECONDS\n"), 2;
  return 0;
}
