/* sseload: a lean load client for Server-Sent Events, one process and one thread.
 *
 *   gcc -O2 -o sseload sseload.c
 *   sseload -port 8080 -sub '/v1/events?channel=b{c}' -pub '/v1/events?channel=b{c}' -n 1000 -secs 3 -pc 16
 *
 * It opens readers, lets publishers POST stamped messages and counts what arrives: every `data:` line
 * that holds the stamp `ts=<16 digits of monotonic nanoseconds>` is an event, everything else (comments,
 * control frames) isn't. The result is one JSON object on stdout; complaints go to stderr.
 *
 * It has to count several million events a second on one core, or it measures itself. So: one epoll set,
 * one shared 1 MiB read buffer, no copy of what was read except of a line that is split over two reads,
 * no parsing of JSON, the clock asked once per batch of sockets.
 *
 * Modes
 *   publish (default)  open -n readers, publish -k events per channel or for -secs, wait for the last one
 *   -replay E          open -n readers, each has to get E events; again and again for -secs
 *   -idle              open -n readers, stay for -hold seconds, tell the memory of the server
 *   -stall             open -n readers that stop reading, publish -k, then let them read on
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"

/* ------------------------------------------------------------------ options */

static const char *host = "127.0.0.1";
static int port = 8080;
static int readers = 1;                   /* -n: how many streams */
static int channels = 1;                  /* -c: reader i reads channel i % c */
static const char *sub_path = "/sub/{c}"; /* {c} becomes the channel's number */
static const char *pub_path = "/pub/{c}";
static const char *body = "{m}"; /* {m} becomes the stamped message */
static const char *body_open = "", *body_join = "", *body_close = ""; /* around and between a batch */
static const char *ctype = "text/plain";
static char sub_headers[4096], pub_headers[1024];
static long per_channel = 0;     /* -k: events per channel; 0 = as many as -secs allows */
static double secs = 0;          /* publish (or repeat the replay) for that long */
static int publishers = 1;       /* -pc: connections that POST, one request at a time each */
static int batch = 1;            /* -pbatch: messages per POST */
static long window = 0;          /* -win: most events in flight, 0 = no bound but the publishers' own */
static double rate = 0;          /* events per second, 0 = as fast as it goes */
static int size = 100;           /* bytes of a message */
static long replay = 0;          /* events each reader must get */
static int idle = 0, stall = 0;
static int verify = 0;           /* check each reader's sequence numbers; needs -pc 1 */
static double hold = 0;          /* seconds of rest before memory is read */
static double timeout = 60;      /* most seconds that a phase may take */
static int rcvbuf = 0;           /* SO_RCVBUF of the readers, 0 = the system's */
static int sources = 1;          /* addresses 127.0.0.x that readers come from: each has its own ports */
static int connecting = 256;     /* most handshakes under way at once */
static const char *server_pids = NULL; /* whose CPU and memory are read */

static struct usage server_usage(void) { return usage_of(server_pids); }

/* ----------------------------------------------------------------------- readers */

/* The stamp has to be within the first KEEP bytes of a line: an envelope puts its id and channel first. */
#define KEEP 192
#define STAMP 19 /* ts= and 16 digits */

/* `kind` comes first in readers and publishers alike: epoll gives back a pointer to either. */
enum { READER, PUBLISHER };

struct reader {
  int kind, fd, channel;
  enum { CONNECTING, HEAD, BODY, DEAD } state;
  struct framing framing;
  u32 got, expected; /* events; next sequence number, for -verify */
  int held;          /* bytes of a split line in `line` */
  char line[KEEP];
  char *head; /* only while a response head is split over reads */
  int head_len;
};

static int epoll_fd;
static struct reader *reader;
static u64 events, bytes, ready, dead, disordered, tnow;
static char buffer[1 << 20];

static void on_line(struct reader *r, char *p, int len) {
  static int hint = 6; /* the stamp stands at the same place nearly always */
  if (len < 5 + STAMP || p[0] != 'd' || memcmp(p, "data:", 5)) return;
  char *q = p + hint;
  if (len < hint + STAMP || memcmp(q, "ts=", 3)) {
    q = memmem(p, len < KEEP ? len : KEEP, "ts=", 3);
    if (!q || q + STAMP > p + len) return;
    hint = q - p;
  }
  u64 stamp = 0;
  for (int i = 3; i < STAMP; i++) stamp = stamp * 10 + (q[i] - '0');
  events++;
  r->got++;
  add_latency(tnow > stamp ? tnow - stamp : 0);
  if (verify && q + STAMP + 11 <= p + len) { /* " n=" and 8 digits */
    u32 n = 0;
    for (int i = STAMP + 3; i < STAMP + 11; i++) n = n * 10 + (q[i] - '0');
    if (n != r->expected) disordered++;
    r->expected = n + 1;
  }
}

static void scan(struct reader *r, char *p, long n) {
  char *end = p + n;
  while (p < end) {
    char *eol = memchr(p, '\n', end - p);
    if (!eol || r->held) {
      int len = (eol ? eol : end) - p, room = KEEP - r->held;
      int take = len < room ? len : room;
      memcpy(r->line + r->held, p, take);
      r->held += take;
      if (!eol) return;
      on_line(r, r->line, r->held);
      r->held = 0;
    } else {
      on_line(r, p, eol - p);
    }
    p = eol + 1;
  }
}

static void reader_dies(struct reader *r) {
  if (r->fd >= 0) close(r->fd); /* which takes it off the epoll set */
  r->fd = -1;
  if (r->state != DEAD) dead++;
  r->state = DEAD;
}

/* Takes the response head; gives where the body begins, or NULL while it is incomplete or refused. */
static char *take_head(struct reader *r, long *n) {
  static char joined[1 << 16];
  char *p = buffer;
  if (r->head) {
    long total = r->head_len + *n;
    if (total > (long)sizeof joined) return reader_dies(r), NULL;
    memcpy(joined, r->head, r->head_len);
    memcpy(joined + r->head_len, buffer, *n);
    free(r->head);
    r->head = NULL;
    p = joined;
    *n = total;
  }
  char *end = memmem(p, *n, "\r\n\r\n", 4);
  if (!end) {
    r->head = malloc(*n);
    r->head_len = (int)*n;
    memcpy(r->head, p, *n);
    return NULL;
  }
  if (atoi(p + 9) != 200) {
    if (dead < 3) fprintf(stderr, "reader was answered: %.*s\n", (int)(*n < 300 ? *n : 300), p);
    return reader_dies(r), NULL;
  }
  r->framing.chunked = memmem(p, end - p, "hunked", 6) != NULL;
  r->state = BODY;
  ready++;
  *n -= end + 4 - p;
  return end + 4;
}

static void watch(int fd, void *who, int op, u32 what) {
  struct epoll_event e = {.events = what, .data.ptr = who};
  epoll_ctl(epoll_fd, op, fd, &e);
}

static void reader_reads(struct reader *r) {
  ssize_t got = recv(r->fd, buffer, sizeof buffer, 0);
  if (got <= 0) {
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    return reader_dies(r);
  }
  bytes += got;
  long n = got;
  char *p = buffer, *piece;
  if (r->state == HEAD) {
    p = take_head(r, &n);
    if (!p) return;
    if (stall) watch(r->fd, r, EPOLL_CTL_MOD, 0); /* from now on it takes nothing */
  }
  for (long len; (len = next_piece(&r->framing, &p, &n, &piece)) > 0;) scan(r, piece, len);
}

static struct sockaddr_in server_address(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, host, &a.sin_addr);
  return a;
}

static void open_reader(int i) {
  struct reader *r = &reader[i];
  *r = (struct reader){.kind = READER, .channel = i % channels};
  r->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (r->fd < 0) {
    perror("socket");
    exit(1);
  }
  if (rcvbuf) setsockopt(r->fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof rcvbuf);
  if (sources > 1) {
    struct sockaddr_in from = {.sin_family = AF_INET};
    from.sin_addr.s_addr = htonl(0x7f000001 + i % sources);
    /* without it a port is taken for all destinations, and 28,000 of them don't last */
    int one = 1;
    setsockopt(r->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(r->fd, (void *)&from, sizeof from) < 0) perror("bind");
  }
  struct sockaddr_in to = server_address();
  if (connect(r->fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS) {
    perror("connect");
    return reader_dies(r);
  }
  watch(r->fd, r, EPOLL_CTL_ADD, EPOLLOUT);
}

/* Puts the channel and the message into a template; gives the end of what was written. */
static char *fill(char *out, const char *t, int channel, const char *message) {
  while (*t) {
    if (!strncmp(t, "{c}", 3)) out += sprintf(out, "%d", channel), t += 3;
    else if (message && !strncmp(t, "{m}", 3)) out = stpcpy(out, message), t += 3;
    else *out++ = *t++;
  }
  *out = 0;
  return out;
}

static void reader_connected(struct reader *r) {
  char request[8192], path[512];
  fill(path, sub_path, r->channel, NULL);
  int len = snprintf(request, sizeof request,
                     "GET %s HTTP/1.1\r\nHost: %s:%d\r\nAccept: text/event-stream\r\n%s\r\n", path, host, port,
                     sub_headers);
  if (send(r->fd, request, len, MSG_NOSIGNAL) != len) return reader_dies(r);
  r->state = HEAD;
  watch(r->fd, r, EPOLL_CTL_MOD, EPOLLIN);
}

/* -------------------------------------------------------------------- publishers */

#define MAX_REQUEST (1 << 18)

struct publisher {
  int kind, fd, busy, events;
  int len, off;       /* of the request, so far as it is written */
  int head_len, body; /* bytes of head so far; whether the body has begun */
  int status, closes;
  long left; /* bytes of a body with Content-Length */
  struct framing framing;
  char head[2048];
  char request[MAX_REQUEST];
};

static struct publisher *publisher;
static u64 sent, acked, refused, reopened;
static char padding[1 << 16];

static void open_publisher(struct publisher *p) {
  struct sockaddr_in to = server_address();
  int one = 1;
  p->kind = PUBLISHER;
  p->busy = 0;
  p->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(p->fd, (void *)&to, sizeof to) < 0) {
    perror("publisher: connect");
    exit(1);
  }
  setsockopt(p->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  fcntl(p->fd, F_SETFL, O_NONBLOCK);
  watch(p->fd, p, EPOLL_CTL_ADD, EPOLLIN);
}

static void reopen(struct publisher *p) {
  close(p->fd);
  if (p->busy) refused += p->events;
  if (++reopened > 1000) {
    fprintf(stderr, "publishers were cut off 1,000 times\n");
    exit(1);
  }
  open_publisher(p);
}

static void publisher_writes(struct publisher *p) {
  ssize_t n = send(p->fd, p->request + p->off, p->len - p->off, MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN) return reopen(p);
  int was = p->off;
  if (n > 0) p->off += n;
  if (p->off < p->len) watch(p->fd, p, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  else if (was) watch(p->fd, p, EPOLL_CTL_MOD, EPOLLIN);
}

static void publish(struct publisher *p, int count) {
  static char filled[MAX_REQUEST - 4096];
  char message[sizeof padding + 64], path[512];
  int first = (int)(sent % channels);
  char *end = stpcpy(filled, count > 1 || *body_open ? body_open : "");
  u64 stamp = now();
  for (int i = 0; i < count; i++) {
    /* the sequence number is the channel's own, so that each reader can see a hole */
    int len = sprintf(message, "ts=%016llu n=%08u ", (unsigned long long)stamp, (u32)((sent + i) / channels));
    if (len < size) memcpy(message + len, padding, size - len), message[size] = 0;
    if (end - filled > (long)sizeof filled - 2 * size - 1024) {
      fprintf(stderr, "a batch of %d messages of %d bytes is too large\n", count, size);
      exit(1);
    }
    if (i) end = stpcpy(end, body_join);
    end = fill(end, body, (first + i) % channels, message);
  }
  end = stpcpy(end, count > 1 || *body_close ? body_close : "");
  fill(path, pub_path, first, NULL);
  p->len = sprintf(p->request,
                   "POST %s HTTP/1.1\r\nHost: %s:%d\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s", path,
                   host, port, ctype, pub_headers, (int)(end - filled), filled);
  p->off = p->head_len = p->body = 0;
  p->busy = 1;
  p->events = count;
  sent += count;
  publisher_writes(p);
}

static void answered(struct publisher *p) {
  p->busy = 0;
  if (p->status >= 200 && p->status < 300) acked += p->events;
  else {
    if (refused < 2) fprintf(stderr, "publisher was answered: %.300s\n", p->head);
    refused += p->events;
  }
  if (p->closes) reopen(p);
}

static void publisher_reads(struct publisher *p) {
  static char answer[1 << 16];
  ssize_t got = recv(p->fd, answer, sizeof answer, 0);
  if (got <= 0) {
    if (got < 0 && errno == EAGAIN) return;
    return reopen(p);
  }
  char *at = answer, *piece;
  long n = got;
  if (!p->body) {
    int room = (int)sizeof p->head - 1 - p->head_len, take = n < room ? (int)n : room;
    memcpy(p->head + p->head_len, answer, take);
    p->head[p->head_len + take] = 0;
    char *end = strstr(p->head, "\r\n\r\n"), *field;
    if (!end) {
      p->head_len += take;
      return;
    }
    long used = end + 4 - p->head - p->head_len;
    at += used;
    n -= used;
    p->status = atoi(p->head + 9);
    end[2] = 0; /* the fields below are to be looked for in the head only */
    p->left = (field = strcasestr(p->head, "\ncontent-length:")) ? atol(field + 16) : 0;
    p->framing = (struct framing){.chunked = strcasestr(p->head, "\ntransfer-encoding: chunked") != NULL};
    p->closes = strcasestr(p->head, "\nconnection: close") != NULL;
    p->body = 1;
  }
  if (p->framing.chunked) {
    while (next_piece(&p->framing, &at, &n, &piece) > 0) continue;
    if (p->framing.at == LAST) answered(p);
  } else {
    p->left -= n;
    if (p->left <= 0) answered(p);
  }
}

/* --------------------------------------------------------------------- event loop */

static void serve(u64 wait_ns, int clock_mask) {
  static struct epoll_event happened[4096];
  struct timespec t = {.tv_sec = wait_ns / 1000000000ull, .tv_nsec = wait_ns % 1000000000ull};
  int n = epoll_pwait2(epoll_fd, happened, 4096, &t, NULL); /* plain epoll_wait counts in whole ms */
  tnow = now();
  for (int i = 0; i < n; i++) {
    int *kind = happened[i].data.ptr;
    if (*kind == PUBLISHER) {
      struct publisher *p = (void *)kind;
      if (happened[i].events & EPOLLOUT) publisher_writes(p);
      if (happened[i].events & ~EPOLLOUT) publisher_reads(p);
      continue;
    }
    struct reader *r = (void *)kind;
    if (r->fd < 0) continue;
    if (r->state == CONNECTING) {
      if (happened[i].events & (EPOLLERR | EPOLLHUP)) reader_dies(r);
      else reader_connected(r);
      continue;
    }
    if ((i & clock_mask) == clock_mask) tnow = now(); /* every 16th or 64th socket */
    reader_reads(r);
  }
}

#define MS 1000000ull
static void serve_ms(int ms) { serve(ms * MS, 63); }

/* -------------------------------------------------------------------------- phases */

static void open_readers(void) {
  u64 deadline = after(timeout);
  int opened = 0;
  ready = dead = 0;
  while (ready + dead < (u64)readers && now() < deadline) {
    int under_way = opened - (int)(ready + dead);
    for (; opened < readers && under_way < connecting; under_way++) open_reader(opened++);
    serve_ms(50);
  }
  for (; opened < readers; opened++) reader[opened].fd = -1;
}

static void close_readers(void) {
  for (int i = 0; i < readers; i++) {
    if (reader[i].fd >= 0) close(reader[i].fd);
    free(reader[i].head);
    reader[i].head = NULL;
    reader[i].fd = -1;
  }
}

static void forget_counts(void) {
  events = bytes = samples = slowest = disordered = 0;
  memset(histogram, 0, sizeof histogram);
}

static long rss_peak;
static void note_peak(void) {
  static u64 next;
  u64 t = now();
  if (t < next) return;
  next = t + 50 * MS;
  long kb = server_usage().rss_kb;
  if (kb > rss_peak) rss_peak = kb;
}

/* Publishes and, unless the readers are stalled, waits for the last event; gives the seconds it took. */
static double publish_all(void) {
  u64 start = now(), deadline = after(timeout), until = secs > 0 ? after(secs) : UINT64_MAX;
  u64 total = per_channel > 0 ? (u64)per_channel * channels : UINT64_MAX;
  u64 progress = start, last_events = 0, ended = 0;
  double per_event = (double)readers / channels; /* deliveries */
  while (!ended) {
    u64 t = now();
    int held_back = 0;
    if (t > deadline) break;
    if (t >= until && total > sent) total = sent;
    for (int i = 0; i < publishers && sent < total; i++) {
      if (publisher[i].busy) continue;
      held_back = (rate > 0 && sent >= (u64)((t - start) / 1e9 * rate) + 1) ||
                  (window && readers && (double)sent - events / per_event > window);
      if (held_back) break;
      publish(&publisher[i], total - sent < (u64)batch ? (int)(total - sent) : batch);
    }
    int done = sent >= total && acked + refused >= sent;
    if (events != last_events || !done) last_events = events, progress = t;
    if (done && (stall || events >= (u64)(sent * per_event + 0.5))) ended = now();
    else if (done && t - progress > 3000 * MS) ended = progress; /* the rest is lost */
    else if (rate > 0 && sent < total) {
      u64 due = start + (u64)(sent / rate * 1e9), n = now();
      serve(due > n ? (due - n < 50 * MS ? due - n : 50 * MS) : 0, 15);
    } else serve_ms(held_back ? 1 : 20);
    if (stall) note_peak();
  }
  return ((ended ? ended : now()) - start) / 1e9;
}

static int by_value(const void *a, const void *b) {
  double x = *(double *)a, y = *(double *)b;
  return (x > y) - (x < y);
}

static void report_open(void) { printf("\"n\":%d,\"ready\":%lu,\"dead\":%lu", readers, ready, dead); }

static void run_replay(void) {
  static double took[10000];
  int rounds = 0;
  u64 until = after(secs), missing = 0, incomplete = 0, got = 0, all = (u64)replay * readers;
  double cpu = own_cpu();
  struct usage before = server_usage();
  u64 start = now();
  do {
    forget_counts();
    u64 t = now(), deadline = after(timeout);
    open_readers(); /* during which most of the replay may already come */
    u64 progress = now(), last = events;
    while (events < all && dead < (u64)readers && now() < deadline && now() - progress < 3000 * MS) {
      serve_ms(50);
      if (events != last) last = events, progress = now();
    }
    /* where events are missing, the time is that of the last one which came */
    took[rounds++] = ((events < all ? progress : now()) - t) / 1e9;
    for (int i = 0; i < readers; i++) incomplete += reader[i].got != (u32)replay;
    got = events;
    missing += all > events ? all - events : 0;
    close_readers();
  } while (now() < until && rounds < 10000 && !missing);
  double elapsed = (now() - start) / 1e9;
  qsort(took, rounds, sizeof *took, by_value);
  double median = took[rounds / 2];
  printf("{");
  report_open();
  printf(",\"rounds\":%d,\"secs\":%.5f,\"rate\":%.0f,\"lost\":%lu,\"incomplete\":%lu,\"serverCpu\":%.2f,\"clientUse\":%.2f}\n",
         rounds, median, (missing ? got : all) / median, missing, incomplete, server_usage().cpu - before.cpu, (own_cpu() - cpu) / elapsed);
}

static void run_idle(void) {
  struct usage before = server_usage();
  u64 start = now();
  open_readers();
  double opening = (now() - start) / 1e9;
  for (u64 until = after(hold); now() < until;) serve_ms(50);
  long kb = server_usage().rss_kb;
  printf("{");
  report_open();
  printf(",\"lost\":0,\"openRate\":%.0f,\"rssBefore\":%ld,\"rssAfter\":%ld,\"rssPerStream\":%.2f}\n",
         ready / opening, before.rss_kb, kb, (double)(kb - before.rss_kb) / (ready ? ready : 1));
}

static void run_publish(void) {
  open_readers();
  for (u64 until = after(0.3); now() < until;) serve_ms(50); /* first frames come and go */
  for (int i = 0; i < publishers; i++) open_publisher(&publisher[i]);
  forget_counts();
  struct usage before = server_usage();
  double cpu = own_cpu(), t = publish_all();
  struct usage u = server_usage();
  u64 all = (u64)(sent * ((double)readers / channels) + 0.5);
  printf("{");
  report_open();
  printf(",\"secs\":%.3f,\"sent\":%lu,\"refused\":%lu,\"publishRate\":%.0f,\"events\":%lu,\"lost\":%ld,"
         "\"rate\":%.0f,\"bytesPerEvent\":%.0f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f,"
         "\"serverUse\":%.2f,\"cpuPerMillion\":%.3f,\"rss\":%ld,\"clientUse\":%.2f,\"disordered\":%lu}\n",
         t, sent, refused, acked / t, events, (long)(all - events), events / t,
         events ? (double)bytes / events : 0, percentile_ms(.5), percentile_ms(.9), percentile_ms(.99),
         slowest / 1e6, (u.cpu - before.cpu) / t, events ? (u.cpu - before.cpu) / (events / 1e6) : 0, u.rss_kb,
         (own_cpu() - cpu) / t, disordered);
}

static void run_stall(void) {
  open_readers();
  for (int i = 0; i < publishers; i++) open_publisher(&publisher[i]);
  long opened = server_usage().rss_kb;
  double publishing = publish_all();
  u64 at_stall = events; /* what came in the same packet as the head */
  for (u64 until = after(hold); now() < until; note_peak()) serve_ms(50);
  long stalled = server_usage().rss_kb;

  /* and now they read on; each has to get everything, once, in order */
  u64 all = (u64)(sent * ((double)readers / channels) + 0.5), deadline = after(timeout);
  u64 start = now(), progress = start, last = events;
  long drain_peak = rss_peak;
  rss_peak = 0;
  stall = 0;
  for (int i = 0; i < readers; i++)
    if (reader[i].fd >= 0) watch(reader[i].fd, &reader[i], EPOLL_CTL_MOD, EPOLLIN);
  while (events < all && now() < deadline && now() - progress < 15000 * MS && dead < (u64)readers) {
    serve_ms(50);
    note_peak();
    if (events != last) last = events, progress = now();
  }
  double draining = ((events < all ? progress : now()) - start) / 1e9;
  long incomplete = 0;
  for (int i = 0; i < readers; i++) incomplete += reader[i].got != sent / channels;
  printf("{");
  report_open();
  printf(",\"sent\":%lu,\"refused\":%lu,\"publishSecs\":%.2f,\"drainSecs\":%.2f,\"rate\":%.0f,\"events\":%lu,"
         "\"lost\":%ld,\"incomplete\":%ld,\"disordered\":%lu,\"rssOpened\":%ld,\"rssStalled\":%ld,"
         "\"rssPeak\":%ld,\"rssDrainPeak\":%ld}\n",
         sent, refused, publishing, draining, (events - at_stall) / draining, events, (long)(all - events),
         incomplete, disordered, opened, stalled, drain_peak, rss_peak);
}

/* ------------------------------------------------------------------------ command */

static void add_header(char *to, size_t room, const char *line) {
  size_t used = strlen(to);
  snprintf(to + used, room - used, "%s\r\n", line);
}

static void read_options(int argc, char **argv) {
  enum { PORT = 256, N, C, SUB, PUB, BODY_, OPEN, JOIN, CLOSE, CTYPE, HDR, PUBHDR, K, SECS, PC, PBATCH, WIN, RATE,
         SIZE_, REPLAY, HOLD, TIMEOUT, RCVBUF, SRCS, CONNPAR, SPID };
  static const struct option known[] = {
    {"port", 1, 0, PORT}, {"n", 1, 0, N}, {"c", 1, 0, C}, {"sub", 1, 0, SUB}, {"pub", 1, 0, PUB},
    {"body", 1, 0, BODY_}, {"open", 1, 0, OPEN}, {"join", 1, 0, JOIN}, {"close", 1, 0, CLOSE},
    {"ctype", 1, 0, CTYPE}, {"hdr", 1, 0, HDR}, {"pubhdr", 1, 0, PUBHDR}, {"k", 1, 0, K}, {"secs", 1, 0, SECS},
    {"pc", 1, 0, PC}, {"pbatch", 1, 0, PBATCH}, {"win", 1, 0, WIN}, {"rate", 1, 0, RATE}, {"size", 1, 0, SIZE_},
    {"replay", 1, 0, REPLAY}, {"hold", 1, 0, HOLD}, {"timeout", 1, 0, TIMEOUT}, {"rcvbuf", 1, 0, RCVBUF},
    {"srcs", 1, 0, SRCS}, {"connpar", 1, 0, CONNPAR}, {"spid", 1, 0, SPID}, {"idle", 0, &idle, 1},
    {"stall", 0, &stall, 1}, {"verify", 0, &verify, 1}, {0}};
  for (int o; (o = getopt_long_only(argc, argv, "", known, 0)) != -1;) switch (o) {
    case 0: break;
    case PORT: port = atoi(optarg); break;
    case N: readers = atoi(optarg); break;
    case C: channels = atoi(optarg); break;
    case SUB: sub_path = optarg; break;
    case PUB: pub_path = optarg; break;
    case BODY_: body = optarg; break;
    case OPEN: body_open = optarg; break;
    case JOIN: body_join = optarg; break;
    case CLOSE: body_close = optarg; break;
    case CTYPE: ctype = optarg; break;
    case HDR: add_header(sub_headers, sizeof sub_headers, optarg); break;
    case PUBHDR: add_header(pub_headers, sizeof pub_headers, optarg); break;
    case K: per_channel = atol(optarg); break;
    case SECS: secs = atof(optarg); break;
    case PC: publishers = atoi(optarg); break;
    case PBATCH: batch = atoi(optarg); break;
    case WIN: window = atol(optarg); break;
    case RATE: rate = atof(optarg); break;
    case SIZE_: size = atoi(optarg); break;
    case REPLAY: replay = atol(optarg); break;
    case HOLD: hold = atof(optarg); break;
    case TIMEOUT: timeout = atof(optarg); break;
    case RCVBUF: rcvbuf = atoi(optarg); break;
    case SRCS: sources = atoi(optarg); break;
    case CONNPAR: connecting = atoi(optarg); break;
    case SPID: server_pids = optarg; break;
    default: exit(2);
  }
  if (size > 60000 || batch < 1 || channels < 1 || publishers < 1) exit(2);
  if (verify && publishers != 1) {
    fprintf(stderr, "-verify needs -pc 1: several publishers have no common order\n");
    exit(2);
  }
  if (!idle && !replay && !per_channel && secs <= 0) {
    fprintf(stderr, "-k or -secs must say how much is to be published\n");
    exit(2);
  }
}

int main(int argc, char **argv) {
  read_options(argc, argv);
  memset(padding, 'x', sizeof padding);
  epoll_fd = epoll_create1(0);
  reader = calloc(readers ? readers : 1, sizeof *reader);
  publisher = calloc(publishers, sizeof *publisher);
  if (replay) run_replay();
  else if (idle) run_idle();
  else if (stall) run_stall();
  else run_publish();
  return 0;
}
