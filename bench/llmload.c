/* llmload: both ends of many generations at once, around a relay. One process, one thread.
 *
 *   gcc -O2 -o llmload llmload.c
 *   llmload -port 8080 -listen 9090 -path /v1/relay/llm/v1/chat/completions -n 1000 -rate 20 -secs 10
 *
 * It is the upstream, which streams tokens as OpenAI's chat format has them, and the caller who reads each
 * run through the gateway. Both in one process, so that a token's way is measured by one clock: it carries
 * the time of its sending, its run and its number, and its reader checks all three. A token is some 290
 * bytes, as those of the real API are; each is a chunk and a write of its own.
 *
 * Tokens of all runs are spread evenly over the second, and sent in steps of a millisecond. Those of the
 * first -warm seconds are checked, but not timed: code that has run for a while is compiled. The result is
 * one JSON object on stdout. `lag`: by how many ms a token left later than it was due, at the worst. Where
 * that is more than a few, the client was short of time, and what it measured is itself.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "load.h"

static int port = 8080, listening = 9090;
static const char *path = "/";
static int runs = 1;
static double rate = 20;      /* tokens per second of each run */
static double secs = 10;      /* that are timed */
static double warm = 2;       /* before them */
static double timeout = 30;   /* most seconds that opening and ending may take */
static const char *server_pids = NULL, *redis_pids = NULL; /* whose CPU is read */

#define OPENING 64       /* requests that wait for their head at once */
#define ENDINGS 500      /* runs that end in a second */
#define MS 1000000ull

enum { LISTENER, UPSTREAM, CALLER };

/* A run as the upstream has it. A connection of the gateway's that has no run yet is one, too. */
struct upstream {
  int kind, fd, run;
  char request[4096];
  int held;
  char *unsent; /* what the socket didn't take */
  long unsent_len, unsent_room;
};

#define KEEP 320 /* the stamp has to be within the first bytes of a line */

struct caller {
  int kind, fd, run;
  enum { CONNECTING, HEAD, BODY, ENDED, DEAD } state;
  struct framing framing;
  u32 next; /* number of the token that must come */
  int done; /* `[DONE]` has come */
  int held;
  char line[KEEP];
};

static int epoll_fd;
static struct caller *caller;
static struct upstream **upstream; /* by run */
static u64 sent, got, disordered, ready, asked, ended, dead, timed_from, worst_lag;
static char buffer[1 << 20];

static void watch(int fd, void *who, int op, u32 what) {
  struct epoll_event e = {.events = what, .data.ptr = who};
  epoll_ctl(epoll_fd, op, fd, &e);
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

/* ---------------------------------------------------------------------- upstream */

static const char HEAD_SENT[] =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
static const char CHUNK[] =
    "data: {\"id\":\"chatcmpl-9f3KqPz1cXw7bYtEo2HvLsRmUaJd\",\"object\":\"chat.completion.chunk\","
    "\"created\":1750000000,\"model\":\"bench-1\",\"service_tier\":\"default\",\"system_fingerprint\":null,"
    "\"choices\":[{\"index\":0,\"delta\":{\"content\":\" ts=0000000000000000 r=00000 n=000000\"},"
    "\"logprobs\":null,\"finish_reason\":null}]}\n\n";
static const char FINISH[] =
    "data: {\"id\":\"chatcmpl-9f3KqPz1cXw7bYtEo2HvLsRmUaJd\",\"object\":\"chat.completion.chunk\","
    "\"created\":1750000000,\"model\":\"bench-1\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n"
    "data: [DONE]\n\n";
static char token[sizeof CHUNK + 16];
static int token_len, stamp_at;

static void make_token(void) {
  token_len = sprintf(token, "%zx\r\n%s\r\n", sizeof CHUNK - 1, CHUNK);
  stamp_at = (int)(strstr(token, "ts=") - token);
}

static inline void digits(char *to, int count, u64 value) {
  for (int i = count; i-- > 0; value /= 10) to[i] = '0' + value % 10;
}

static inline u64 number(const char *from, int count) {
  u64 value = 0;
  for (int i = 0; i < count; i++) value = value * 10 + (from[i] - '0');
  return value;
}

static void says(struct upstream *u, const char *p, long n) {
  if (u->fd < 0) return;
  if (!u->unsent_len) {
    ssize_t taken = send(u->fd, p, n, MSG_NOSIGNAL);
    if (taken == n) return;
    if (taken < 0 && errno != EAGAIN) return;
    if (taken > 0) p += taken, n -= taken;
    watch(u->fd, u, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
  }
  if (u->unsent_len + n > u->unsent_room) {
    u->unsent_room = (u->unsent_len + n) * 2;
    u->unsent = realloc(u->unsent, u->unsent_room);
  }
  memcpy(u->unsent + u->unsent_len, p, n);
  u->unsent_len += n;
}

static void says_the_rest(struct upstream *u) {
  ssize_t taken = send(u->fd, u->unsent, u->unsent_len, MSG_NOSIGNAL);
  if (taken <= 0) return;
  u->unsent_len -= taken;
  memmove(u->unsent, u->unsent + taken, u->unsent_len);
  if (!u->unsent_len) watch(u->fd, u, EPOLL_CTL_MOD, EPOLLIN);
}

static void says_token(int run, u32 n, u64 time) {
  digits(token + stamp_at + 3, 16, time);
  digits(token + stamp_at + 22, 5, run);
  digits(token + stamp_at + 30, 6, n);
  says(upstream[run], token, token_len);
}

static void says_end(int run) {
  char last[sizeof FINISH + 32];
  says(upstream[run], last, sprintf(last, "%zx\r\n%s\r\n0\r\n\r\n", sizeof FINISH - 1, FINISH));
}

static void accept_one(int fd) {
  struct upstream *u = calloc(1, sizeof *u);
  int one = 1;
  u->kind = UPSTREAM;
  u->fd = accept4(fd, NULL, NULL, SOCK_NONBLOCK);
  if (u->fd < 0) return free(u);
  setsockopt(u->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  watch(u->fd, u, EPOLL_CTL_ADD, EPOLLIN);
}

/* A request: which run it is for stands in its body. */
static void upstream_reads(struct upstream *u) {
  long room = sizeof u->request - 1 - u->held;
  ssize_t n = recv(u->fd, u->request + u->held, room, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0 || n == room) {
    close(u->fd);
    u->fd = -1;
    return;
  }
  u->held += (int)n;
  u->request[u->held] = 0;
  char *run = strstr(u->request, "{\"run\":");
  if (!run || !strchr(run, '}')) return;
  u->run = atoi(run + 7);
  u->held = 0;
  if (u->run < 0 || u->run >= runs) return;
  if (!upstream[u->run]) asked++;
  upstream[u->run] = u;
  says(u, HEAD_SENT, sizeof HEAD_SENT - 1);
}

/* ----------------------------------------------------------------------- callers */

static void caller_dies(struct caller *c, int state) {
  close(c->fd); /* which takes it off the epoll set */
  c->fd = -1;
  c->state = state;
  if (state == ENDED) ended++;
  else dead++;
}

static void on_line(struct caller *c, const char *p, int len) {
  static int hint = 0; /* the stamp stands at the same place always */
  if (len < 12 || memcmp(p, "data: ", 6)) return;
  if (p[6] == '[') {
    c->done = 1;
    return;
  }
  if (len < hint + 36 || memcmp(p + hint, "ts=", 3)) {
    const char *q = memmem(p, len, "ts=", 3);
    if (!q || q + 36 > p + len) return;
    hint = (int)(q - p);
  }
  const char *q = p + hint;
  u64 stamp = number(q + 3, 16), n = number(q + 30, 6);
  if ((int)number(q + 22, 5) != c->run || n != c->next) disordered++;
  c->next = (u32)n + 1;
  got++;
  if (timed_from && stamp >= timed_from) add_latency(now() - stamp);
}

static void scan(struct caller *c, char *p, long n) {
  char *end = p + n;
  while (p < end) {
    char *eol = memchr(p, '\n', end - p);
    if (!eol || c->held) {
      int len = (int)((eol ? eol : end) - p), room = KEEP - c->held;
      int take = len < room ? len : room;
      memcpy(c->line + c->held, p, take);
      c->held += take;
      if (!eol) return;
      on_line(c, c->line, c->held);
      c->held = 0;
    } else {
      on_line(c, p, (int)(eol - p));
    }
    p = eol + 1;
  }
}

static void open_caller(int i) {
  struct caller *c = &caller[i];
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
  inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
  c->kind = CALLER;
  c->run = i;
  c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c->fd < 0) fail("socket");
  if (connect(c->fd, (void *)&to, sizeof to) < 0 && errno != EINPROGRESS) fail("connect");
  watch(c->fd, c, EPOLL_CTL_ADD, EPOLLOUT);
}

static void caller_asks(struct caller *c) {
  char request[1024], body[64];
  int body_len = sprintf(body, "{\"run\":%d,\"stream\":true}", c->run);
  int len = snprintf(request, sizeof request,
                     "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nContent-Type: application/json\r\n"
                     "Content-Length: %d\r\n\r\n%s",
                     path, port, body_len, body);
  if (send(c->fd, request, len, MSG_NOSIGNAL) != len) return caller_dies(c, DEAD);
  c->state = HEAD;
  watch(c->fd, c, EPOLL_CTL_MOD, EPOLLIN);
}

static void caller_reads(struct caller *c) {
  ssize_t n = recv(c->fd, buffer, sizeof buffer, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) return caller_dies(c, DEAD);
  char *p = buffer, *piece;
  long left = n;
  if (c->state == HEAD) {
    /* a head that is split over two packets doesn't happen on loopback */
    char *end = memmem(p, n, "\r\n\r\n", 4);
    if (!end || memcmp(p + 9, "200", 3)) {
      if (dead < 3) fprintf(stderr, "a caller was answered: %.*s\n", (int)(n < 600 ? n : 600), p);
      return caller_dies(c, DEAD);
    }
    c->framing.chunked = 1;
    c->state = BODY;
    ready++;
    left -= end + 4 - p;
    p = end + 4;
  }
  for (long len; (len = next_piece(&c->framing, &p, &left, &piece)) > 0;) scan(c, piece, len);
  if (c->framing.at == LAST) caller_dies(c, c->done ? ENDED : DEAD);
}

/* --------------------------------------------------------------------- event loop */

static void serve_ms(int ms) {
  static struct epoll_event list[512];
  int n = epoll_wait(epoll_fd, list, 512, ms);
  for (int i = 0; i < n; i++) {
    int *kind = list[i].data.ptr;
    struct upstream *u = list[i].data.ptr;
    struct caller *c = list[i].data.ptr;
    if (*kind == LISTENER) accept_one(kind[1]);
    else if (*kind == CALLER) c->state == CONNECTING ? caller_asks(c) : caller_reads(c);
    else {
      if (list[i].events & EPOLLOUT && u->unsent_len) says_the_rest(u);
      if (list[i].events & ~EPOLLOUT && u->fd >= 0) upstream_reads(u);
    }
  }
}

static void listen_here(void) {
  static int who[2] = {LISTENER};
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(listening)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1;
  inet_pton(AF_INET, "127.0.0.1", &at.sin_addr);
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, (void *)&at, sizeof at) < 0 || listen(fd, 1024) < 0) fail("listen");
  who[1] = fd;
  watch(fd, who, EPOLL_CTL_ADD, EPOLLIN);
}

static void open_all(void) {
  u64 until = after(timeout);
  for (int i = 0; ready + dead < (u64)runs && now() < until; serve_ms(10))
    while (i < runs && i - (ready + dead) < OPENING) open_caller(i++);
}

/* Tokens by the clock: number k of all is of run k % runs. */
static void stream(u64 from, u64 until) {
  double each = 1e9 / (rate * runs);
  u64 first = sent;
  for (u64 t; (t = now()) < until; serve_ms(1)) {
    u64 due = first + (u64)((t - from) / each);
    if (sent < due) {
      u64 lag = t - from - (u64)((sent - first) * each);
      if (lag > worst_lag) worst_lag = lag;
    }
    /* the clock is asked anew, for the last of many has waited for the others */
    for (; sent < due; sent++) says_token((int)(sent % runs), (u32)(sent / runs), now());
  }
}

static void end_all(void) {
  u64 from = now(), until = after(timeout + (double)runs / ENDINGS);
  for (int i = 0; ended + dead < (u64)runs && now() < until; serve_ms(5))
    while (i < runs && (now() - from) / 1e9 * ENDINGS >= i) says_end(i++);
}

static void run(void) {
  struct usage idle = usage_of(server_pids);
  u64 t = now();
  open_all();
  double opening = (now() - t) / 1e9;
  if (ready < (u64)runs || asked < (u64)runs) {
    fprintf(stderr, "only %lu of %d runs began\n", ready, runs);
    exit(1);
  }
  struct usage opened = usage_of(server_pids);
  t = now();
  stream(t, t + (u64)(warm * 1e9));
  worst_lag = 0;
  timed_from = now();
  struct usage before = usage_of(server_pids), redis_before = usage_of(redis_pids);
  double own = own_cpu();
  u64 sent_before = sent;
  stream(timed_from, timed_from + (u64)(secs * 1e9));
  double took = (now() - timed_from) / 1e9;
  struct usage u = usage_of(server_pids), redis = usage_of(redis_pids);
  own = own_cpu() - own;
  u64 timed = sent - sent_before, arrived = samples;
  end_all();
  struct usage after_all = usage_of(server_pids);
  double cpu = u.cpu - before.cpu;
  printf("{\"n\":%d,\"openSecs\":%.2f,\"openCpu\":%.3f,\"sent\":%lu,\"lost\":%ld,\"disordered\":%lu,\"dead\":%lu,"
         "\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"rate\":%.0f,\"behind\":%lu,\"serverUse\":%.3f,\"cpuPerToken\":%.2f,"
         "\"endCpu\":%.3f,\"clientUse\":%.3f,\"redisUse\":%.3f,\"lag\":%.1f,\"rssMb\":%.0f}\n",
         runs, opening, (opened.cpu - idle.cpu) * 1e3 / runs, sent, (long)(sent - got), disordered,
         (u64)runs - ended, percentile_ms(.5), percentile_ms(.99), slowest / 1e6, arrived / took, timed - arrived,
         cpu / took, timed ? cpu * 1e6 / timed : 0, (after_all.cpu - u.cpu) * 1e3 / runs, own / took,
         (redis.cpu - redis_before.cpu) / took, worst_lag / 1e6, u.rss_kb / 1024.0);
}

/* ------------------------------------------------------------------------ command */

int main(int argc, char **argv) {
  enum { PORT = 256, LISTEN, PATH, N, RATE, SECS, WARM, TIMEOUT, SPID, RPID };
  static const struct option known[] = {
    {"port", 1, 0, PORT}, {"listen", 1, 0, LISTEN}, {"path", 1, 0, PATH}, {"n", 1, 0, N}, {"rate", 1, 0, RATE},
    {"secs", 1, 0, SECS}, {"warm", 1, 0, WARM}, {"timeout", 1, 0, TIMEOUT}, {"spid", 1, 0, SPID},
    {"rpid", 1, 0, RPID}, {0}};
  for (int o; (o = getopt_long_only(argc, argv, "", known, 0)) != -1;) switch (o) {
    case PORT: port = atoi(optarg); break;
    case LISTEN: listening = atoi(optarg); break;
    case PATH: path = optarg; break;
    case N: runs = atoi(optarg); break;
    case RATE: rate = atof(optarg); break;
    case SECS: secs = atof(optarg); break;
    case WARM: warm = atof(optarg); break;
    case TIMEOUT: timeout = atof(optarg); break;
    case SPID: server_pids = optarg; break;
    case RPID: redis_pids = optarg; break;
    default: exit(2);
  }
  if (runs < 1 || runs > 99999 || rate <= 0 || rate * (warm + secs) > 999999) exit(2);
  make_token();
  epoll_fd = epoll_create1(0);
  caller = calloc(runs, sizeof *caller);
  upstream = calloc(runs, sizeof *upstream);
  listen_here();
  run();
  return 0;
}
