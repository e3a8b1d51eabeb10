/* floor: the least that a server can do. It knows one channel, keeps nothing, checks nothing: a POST's body
 * becomes one ready chunk, and every BATCH posts each reader gets one write().
 *
 *   gcc -O2 -o floor floor.c && floor PORT BATCH
 *
 * BATCH 1 is the wall that stands before every server that writes per event and reader; with 16 one sees what
 * coalescing makes possible, and how much the load client itself can count.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
#define DONE "HTTP/1.1 204 No Content\r\n\r\n"

static int reader[20000], readers;
static char frames[1 << 20], request[1 << 16];
static int length, gathered;
static long id, short_writes;

static void put(int fd, const char *p, int n) {
  if (write(fd, p, n) != n) short_writes++; /* a full socket loses the rest: it's a floor, not a server */
}

static void flush_frames(void) {
  for (int i = 0; i < readers; i++) put(reader[i], frames, length);
  length = gathered = 0;
}

static void forget(int fd) {
  for (int i = 0; i < readers; i++)
    if (reader[i] == fd) reader[i] = reader[--readers];
  close(fd);
}

static void take_post(int fd, int n, int batch) {
  char frame[4096], *body = strstr(request, "\r\n\r\n");
  if (!body) return forget(fd); /* a head split over two packets doesn't happen on loopback */
  body += 4;
  int size = snprintf(frame, sizeof frame, "id: %ld\ndata: %.*s\n\n", ++id, (int)(request + n - body), body);
  length += sprintf(frames + length, "%x\r\n%s\r\n", size, frame);
  if (++gathered >= batch) flush_frames();
  put(fd, DONE, sizeof DONE - 1);
}

int main(int argc, char **argv) {
  if (argc < 3) return fprintf(stderr, "floor PORT BATCH\n"), 2;
  int batch = atoi(argv[2]), one = 1;
  int set = epoll_create1(0), listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(listener, (void *)&a, sizeof a) || listen(listener, 4096)) return perror("listen"), 1;
  struct epoll_event e = {.events = EPOLLIN, .data.fd = listener}, happened[1024];
  epoll_ctl(set, EPOLL_CTL_ADD, listener, &e);
  for (;;) {
    int n = epoll_wait(set, happened, 1024, -1);
    for (int i = 0; i < n; i++) {
      int fd = happened[i].data.fd;
      if (fd == listener) {
        for (int s; (s = accept4(listener, 0, 0, SOCK_NONBLOCK)) >= 0;) {
          setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
          e = (struct epoll_event){.events = EPOLLIN, .data.fd = s};
          epoll_ctl(set, EPOLL_CTL_ADD, s, &e);
        }
        continue;
      }
      int got = recv(fd, request, sizeof request - 1, 0);
      if (got < 0 && errno == EAGAIN) continue;
      if (got <= 0) {
        forget(fd);
        continue;
      }
      request[got] = 0;
      if (request[0] != 'G') {
        take_post(fd, got, batch);
      } else if (readers < 20000) {
        put(fd, HEAD, sizeof HEAD - 1);
        reader[readers++] = fd;
      }
    }
  }
}
