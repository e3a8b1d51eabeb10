/* What the load clients share: time, CPU of processes, percentiles, bodies in chunks. Included once each. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

typedef uint64_t u64;
typedef uint32_t u32;

/* ------------------------------------------------------------- time and memory */

static u64 now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (u64)t.tv_sec * 1000000000ull + t.tv_nsec;
}

static u64 after(double s) { return now() + (u64)(s * 1e9); }

struct usage { double cpu; long rss_kb; };

/* Of processes together: their pids with commas between, or NULL. */
static struct usage usage_of(const char *pids) {
  struct usage u = {0};
  if (!pids) return u;
  char list[256];
  snprintf(list, sizeof list, "%s", pids);
  for (char *pid = strtok(list, ","); pid; pid = strtok(NULL, ",")) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%s/stat", pid);
    FILE *f = fopen(path, "r");
    if (!f) continue;
    unsigned long user, sys;
    long pages;
    /* the name in brackets may hold blanks, so fields are counted from its end */
    if (fgets(line, sizeof line, f) &&
        sscanf(strrchr(line, ')') + 2,
               "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %ld",
               &user, &sys, &pages) == 3) {
      u.cpu += (double)(user + sys) / sysconf(_SC_CLK_TCK);
      u.rss_kb += pages * (sysconf(_SC_PAGESIZE) / 1024);
    }
    fclose(f);
  }
  return u;
}

static double own_cpu(void) {
  struct rusage r;
  getrusage(RUSAGE_SELF, &r);
  return r.ru_utime.tv_sec + r.ru_utime.tv_usec / 1e6 + r.ru_stime.tv_sec + r.ru_stime.tv_usec / 1e6;
}

/* Latencies: buckets of 256 ns, 32 to each power of two, so a percentile is exact to 3 %. */
#define BUCKETS 4096
static u64 histogram[BUCKETS], samples, slowest;

static inline void add_latency(u64 ns) {
  u64 v = ns >> 8;
  int b = (int)v;
  if (v >= 64) {
    int lg = 63 - __builtin_clzll(v);
    b = (lg - 5) * 32 + (int)(v >> (lg - 5));
  }
  samples++;
  if (ns > slowest) slowest = ns;
  histogram[b < BUCKETS ? b : BUCKETS - 1]++;
}

static double percentile_ms(double p) {
  u64 wanted = (u64)(p * samples), seen = 0;
  for (int b = 0; b < BUCKETS; b++) {
    seen += histogram[b];
    if (seen <= wanted) continue;
    int k = b / 32 - 1;
    u64 v = b < 64 ? (u64)b : (u64)(b - k * 32) << k;
    return (double)(v << 8) / 1e6;
  }
  return slowest / 1e6;
}

/* ---------------------------------------------------------------- chunked bodies */

struct framing { enum { SIZE, EXTENSION, DATA, DATA_END, LAST } at; int chunked; u64 left; };

static inline int hex(int c) {
  if (c >= '0' && c <= '9') return c - '0';
  c |= 32;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The next piece of body in *p (n bytes left): its length, or 0 where the input is used up. */
static inline long next_piece(struct framing *f, char **p, long *n, char **piece) {
  if (!f->chunked) {
    long all = *n;
    *piece = *p;
    *n = 0;
    return all;
  }
  char *at = *p, *end = at + *n;
  while (at < end && f->at != DATA) {
    int c = *at++;
    if (f->at == LAST) continue; /* trailers: nobody sends any */
    if (f->at == DATA_END) {
      if (c == '\n') f->at = SIZE, f->left = 0;
    } else if (c == '\n') {
      f->at = f->left ? DATA : LAST;
    } else if (f->at == SIZE) {
      int digit = hex(c);
      if (digit >= 0) f->left = f->left * 16 + digit;
      else f->at = EXTENSION;
    }
  }
  long len = 0;
  if (at < end) {
    len = end - at < (long)f->left ? end - at : (long)f->left;
    *piece = at;
    f->left -= len;
    if (!f->left) f->at = DATA_END;
  }
  *p = at + len;
  *n = end - *p;
  return len;
}
