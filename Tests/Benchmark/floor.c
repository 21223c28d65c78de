// What this machine allows for the queue's work when nothing but the unavoidable is done: the benchmarks' physical limits.
//   cc -O2 floor.c -o floor -lisal -lpthread
//   floor fill IN OUT    lines compressed in pieces of 256 KiB on as many threads as there are processors, written in order, synced per MiB
//   floor drain IN OUT   gzip members inflated and written, synced at the end
//   floor copy IN OUT    bytes copied in pieces of 256 KiB, synced at the end
// Prints one JSON object: seconds, CPU seconds, bytes of input and of output.
#define _GNU_SOURCE
#include <fcntl.h>
#include <isa-l/igzip_lib.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define PIECE (256 << 10)
#define ROOM (PIECE + PIECE / 8 + 1024)
#define RING 8
#define SYNC_AFTER (1 << 20)

static int in, out;
static long long bytes_in, bytes_out;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void put(const unsigned char *from, size_t count) {
  bytes_out += count;
  while (count > 0) {
    ssize_t written = write(out, from, count);
    if (written < 0) fail("write");
    from += written;
    count -= written;
  }
}

static size_t get(unsigned char *to, size_t count) {
  size_t have = 0;
  while (have < count) {
    ssize_t got = read(in, to + have, count - have);
    if (got < 0) fail("read");
    if (got == 0) break;
    have += got;
  }
  bytes_in += have;
  return have;
}

// A ring of pieces: the reader fills them in order, compressors take the oldest that is filled, the writer waits for each in order.
enum { EMPTY, FILLED, TAKEN, COMPRESSED };
static struct {
  int state;
  size_t line_bytes, member_bytes;
  unsigned char *lines, *member;
} ring[RING];
static long next_filled, next_taken;
static int is_ended;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t has_changed = PTHREAD_COND_INITIALIZER;

static void *compress_pieces(void *nothing) {
  struct isal_zstream stream;
  unsigned char *level_memory = malloc(ISAL_DEF_LVL1_DEFAULT);
  isal_deflate_init(&stream);
  pthread_mutex_lock(&mutex);
  for (;;) {
    while (next_taken == next_filled && !is_ended) pthread_cond_wait(&has_changed, &mutex);
    if (next_taken == next_filled) break;
    long slot = next_taken++ % RING;
    ring[slot].state = TAKEN;
    pthread_mutex_unlock(&mutex);
    isal_deflate_reset(&stream);
    stream.level = 1;
    stream.level_buf = level_memory;
    stream.level_buf_size = ISAL_DEF_LVL1_DEFAULT;
    stream.gzip_flag = IGZIP_GZIP;
    stream.end_of_stream = 1;
    stream.next_in = ring[slot].lines;
    stream.avail_in = ring[slot].line_bytes;
    stream.next_out = ring[slot].member;
    stream.avail_out = ROOM;
    if (isal_deflate(&stream) != COMP_OK || stream.avail_in > 0) fail("deflate");
    pthread_mutex_lock(&mutex);
    ring[slot].member_bytes = stream.total_out;
    ring[slot].state = COMPRESSED;
    pthread_cond_broadcast(&has_changed);
  }
  pthread_mutex_unlock(&mutex);
  return nothing;
}

static void *write_members(void *nothing) {
  size_t unsynced = 0;
  for (long next = 0;; next++) {
    pthread_mutex_lock(&mutex);
    while (ring[next % RING].state != COMPRESSED && !(is_ended && next == next_filled)) pthread_cond_wait(&has_changed, &mutex);
    int is_last = ring[next % RING].state != COMPRESSED;
    pthread_mutex_unlock(&mutex);
    if (is_last) return nothing;
    put(ring[next % RING].member, ring[next % RING].member_bytes);
    unsynced += ring[next % RING].member_bytes;
    if (unsynced >= SYNC_AFTER) {
      if (fdatasync(out)) fail("fdatasync");
      unsynced = 0;
    }
    pthread_mutex_lock(&mutex);
    ring[next % RING].state = EMPTY;
    pthread_cond_broadcast(&has_changed);
    pthread_mutex_unlock(&mutex);
  }
}

static void fill(void) {
  long processors = sysconf(_SC_NPROCESSORS_ONLN);
  pthread_t compressors[64], writer;
  if (processors > 64) processors = 64;
  for (int slot = 0; slot < RING; slot++) {
    ring[slot].lines = malloc(PIECE);
    ring[slot].member = malloc(ROOM);
  }
  for (long i = 0; i < processors; i++) pthread_create(&compressors[i], NULL, compress_pieces, NULL);
  pthread_create(&writer, NULL, write_members, NULL);
  unsigned char *begun = malloc(PIECE);
  size_t begun_bytes = 0;
  for (;;) {
    long slot = next_filled % RING;
    pthread_mutex_lock(&mutex);
    while (ring[slot].state != EMPTY) pthread_cond_wait(&has_changed, &mutex);
    pthread_mutex_unlock(&mutex);
    memcpy(ring[slot].lines, begun, begun_bytes);
    size_t have = begun_bytes + get(ring[slot].lines + begun_bytes, PIECE - begun_bytes);
    if (have == 0) break;
    unsigned char *last = have == PIECE ? memrchr(ring[slot].lines, '\n', have) : NULL;
    size_t whole = last ? (size_t)(last + 1 - ring[slot].lines) : have;
    begun_bytes = have - whole;
    memcpy(begun, ring[slot].lines + whole, begun_bytes);
    pthread_mutex_lock(&mutex);
    ring[slot].line_bytes = whole;
    ring[slot].state = FILLED;
    next_filled++;
    pthread_cond_broadcast(&has_changed);
    pthread_mutex_unlock(&mutex);
  }
  pthread_mutex_lock(&mutex);
  is_ended = 1;
  pthread_cond_broadcast(&has_changed);
  pthread_mutex_unlock(&mutex);
  for (long i = 0; i < processors; i++) pthread_join(compressors[i], NULL);
  pthread_join(writer, NULL);
}

static void drain(void) {
  unsigned char *from = malloc(1 << 20), *to = malloc(1 << 20);
  struct inflate_state state;
  isal_inflate_init(&state);
  state.crc_flag = ISAL_GZIP;
  state.avail_in = 0;
  for (;;) {
    if (state.avail_in == 0) {
      state.next_in = from;
      state.avail_in = get(from, 1 << 20);
      if (state.avail_in == 0) break;
    }
    state.next_out = to;
    state.avail_out = 1 << 20;
    if (isal_inflate(&state) < 0) fail("inflate");
    put(to, (1 << 20) - state.avail_out);
    if (state.block_state == ISAL_BLOCK_FINISH) {
      unsigned char *rest = state.next_in;
      unsigned rest_bytes = state.avail_in;
      isal_inflate_reset(&state);
      state.crc_flag = ISAL_GZIP;
      state.next_in = rest;
      state.avail_in = rest_bytes;
    }
  }
}

static void copy(void) {
  unsigned char *piece = malloc(PIECE);
  size_t count;
  while ((count = get(piece, PIECE)) > 0) put(piece, count);
}

int main(int count, char **arguments) {
  if (count != 4) {
    fprintf(stderr, "usage: floor fill|drain|copy IN OUT\n");
    return 2;
  }
  in = open(arguments[2], O_RDONLY);
  out = open(arguments[3], O_WRONLY | O_CREAT | O_TRUNC, 0600);
  if (in < 0 || out < 0) fail("open");
  struct timespec began, ended;
  clock_gettime(CLOCK_MONOTONIC, &began);
  if (!strcmp(arguments[1], "fill")) fill();
  else if (!strcmp(arguments[1], "drain")) drain();
  else copy();
  if (fdatasync(out)) fail("fdatasync");
  clock_gettime(CLOCK_MONOTONIC, &ended);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("{\"seconds\": %.6f, \"cpu_seconds\": %.6f, \"input_bytes\": %lld, \"output_bytes\": %lld}\n",
         (ended.tv_sec - began.tv_sec) + (ended.tv_nsec - began.tv_nsec) * 1e-9,
         usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6, bytes_in, bytes_out);
  return 0;
}
