/* Watches, fails and kills at the file-system calls of a process below one folder. Preloaded (LD_PRELOAD) by faults.py.
 *
 *   FAULTS_UNDER   the folder, absolute and without symbolic links
 *   FAULTS_LOG     where a record of every call goes: a line of fields between tabs, then the bytes that were written
 *   FAULTS_CALLS   only calls of these names are counted ("write,rename"); all by default
 *   FAULTS_MATCH   only calls on paths that match this pattern are counted, in which * also stands for slashes
 *   FAULTS_AT      the number, from 1, of the counted call at which something happens
 *   FAULTS_DO      what happens: before, after, torn (SIGKILL around or within the call), back (the clock is set back by a
 *                  day from then on), slow (this call and all later counted ones take 0.2 s), or the number of an error
 *                  that this call and all later counted ones give
 *   FAULTS_ONCE    set: later calls give no error
 *
 * The process itself may call ``faults_arm``, which says how many were counted, and counts anew.
 * Names: create, write, rename, fsync, unlink, mkdir, rmdir, truncate. Calls are made one at a time, so the record is in
 * the order of what happened. Everything goes through raw system calls: nothing here calls what it replaces.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define LONGEST (2 * PATH_MAX)
#define DAY 86400

enum { BEFORE = -1, AFTER = -2, TORN = -3, BACK = -4, SLOW = -5 };

static pthread_mutex_t one_at_a_time = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP; /* a signal's handler may write */
static const char *under;
static char calls[256], match[PATH_MAX];
static size_t length_of_under;
static long at, action, counted;
static int log_fd = -1, once;
static volatile long clock_offset;

long faults_arm(const char *which, const char *where, const char *when, const char *what, int only_once) {
  pthread_mutex_lock(&one_at_a_time);
  snprintf(calls, sizeof calls, "%s", which ? which : "");
  snprintf(match, sizeof match, "%s", where ? where : "*");
  long before = counted;
  at = when ? atol(when) : 0, counted = 0, once = only_once;
  action = !what ? 0 : !strcmp(what, "before") ? BEFORE : !strcmp(what, "after") ? AFTER : !strcmp(what, "torn") ? TORN
           : !strcmp(what, "back") ? BACK : !strcmp(what, "slow") ? SLOW : atol(what);
  pthread_mutex_unlock(&one_at_a_time);
  return before;
}

__attribute__((constructor)) static void begin(void) {
  const char *log = getenv("FAULTS_LOG");
  under = getenv("FAULTS_UNDER");
  length_of_under = under ? strlen(under) : 0;
  faults_arm(getenv("FAULTS_CALLS"), getenv("FAULTS_MATCH"), getenv("FAULTS_AT"), getenv("FAULTS_DO"),
             getenv("FAULTS_ONCE") != NULL);
  if (log) log_fd = syscall(SYS_openat, AT_FDCWD, log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

/* Say whether a path is the folder or lies below it. */
static int inside(const char *path) {
  return under && !strncmp(path, under, length_of_under) && (!path[length_of_under] || path[length_of_under] == '/');
}

/* Write the path of an open file; what has been deleted has none. */
static int path_of(int fd, char *path) {
  char link[40];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  long length = syscall(SYS_readlinkat, AT_FDCWD, link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = 0;
  return path[0] == '/' && !strstr(path, " (deleted)");
}

/* Write the absolute path of a name in a folder that is open, or in the current one. */
static int resolve(int folder, const char *name, char *path) {
  if (!name) return 0;
  if (name[0] == '/') return snprintf(path, LONGEST, "%s", name) < LONGEST;
  char base[PATH_MAX];
  if (folder == AT_FDCWD ? syscall(SYS_getcwd, base, sizeof base) <= 0 : !path_of(folder, base)) return 0;
  while (!strncmp(name, "./", 2)) name += 2;
  return snprintf(path, LONGEST, strcmp(name, ".") ? "%s/%s" : "%s", base, name) < LONGEST;
}

static void record(const char *name, long result, int error, const char *path, const char *other, long offset,
                   const void *bytes, long length) {
  if (log_fd < 0) return;
  char head[2 * LONGEST + 128];
  int size = snprintf(head, sizeof head, "%s\t%d\t%d\t%s\t%s\t%ld\t%ld\n", name, (int)syscall(SYS_gettid),
                      result < 0 ? error : 0, path, other, offset, length);
  struct iovec parts[2] = {{head, size}, {(void *)bytes, length}};
  syscall(SYS_writev, log_fd, parts, 2);
}

static void die(void) {
  for (;;) syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
}

/* Count a call. Returns what it asks for: 0, a kind of kill, or an error's number. */
static long due(const char *name, const char *path) {
  if (!at || (calls[0] && !strstr(calls, name)) || fnmatch(match, path, 0)) return 0;
  counted++;
  if (counted != at && (counted < at || once || (action < 0 && action != SLOW))) return 0;
  if (action == BACK) clock_offset = DAY;
  if (action == BEFORE) die();
  return action;
}

struct call {
  const char *name;
  char path[LONGEST], other[LONGEST];
  long what, offset;
  int watched;
};

/* Begin a call on a path; after it, `finish` must be called. */
static void start(struct call *call, const char *name, int folder, const char *file) {
  int before = errno;
  call->name = name;
  call->other[0] = 0;
  call->what = call->offset = 0;
  call->watched = under && resolve(folder, file, call->path) && inside(call->path);
  if (!call->watched) return;
  pthread_mutex_lock(&one_at_a_time);
  call->what = due(name, call->path);
  errno = before;
}

/* Begin a call on an open file; most files are not ours, and nobody waits for those. */
static void start_open(struct call *call, const char *name, int fd) {
  int before = errno;
  call->what = call->watched = 0;
  if (under && path_of(fd, call->path) && inside(call->path)) {
    pthread_mutex_lock(&one_at_a_time);
    path_of(fd, call->path); /* it may have been renamed */
    call->name = name;
    call->other[0] = 0;
    call->watched = 1;
    struct stat facts;
    int appends = (syscall(SYS_fcntl, fd, F_GETFL) & O_APPEND) && !fstat(fd, &facts);
    call->offset = appends ? facts.st_size : syscall(SYS_lseek, fd, 0L, SEEK_CUR);
    call->what = due(name, call->path);
  }
  errno = before;
}

static long finish(struct call *call, long result, const void *bytes, long length) {
  if (!call->watched) return result;
  int error = errno;
  record(call->name, result, error, call->path, call->other, call->offset, bytes, result < 0 ? 0 : length);
  if (call->what == AFTER) die();
  pthread_mutex_unlock(&one_at_a_time);
  if (call->what == SLOW) usleep(200000);
  errno = error;
  return result;
}

/* Make a system call, unless it is to fail. */
#define MAKE(call, ...) ((call).what > 0 ? (errno = (call).what, -1L) : syscall(__VA_ARGS__))

static int open_file(int folder, const char *name, int flags, int mode) {
  int writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));
  if (!writes || (flags & O_TMPFILE) == O_TMPFILE) return syscall(SYS_openat, folder, name, flags, mode);
  struct call call;
  struct stat facts;
  start(&call, "create", folder, name);
  int existed = call.watched && !stat(call.path, &facts);
  if (existed) call.name = flags & O_TRUNC ? "truncate" : "open"; /* it was counted as "create" all the same */
  return finish(&call, MAKE(call, SYS_openat, folder, name, flags, mode), NULL, 0);
}

#define OPENS(function, ...)                                                                         \
  int function(__VA_ARGS__, int flags, ...) {                                                        \
    va_list rest;                                                                                    \
    va_start(rest, flags);                                                                           \
    int mode = (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, int) : 0;        \
    va_end(rest);                                                                                    \
    return open_file(FOLDER, name, flags, mode);                                                     \
  }
#define FOLDER AT_FDCWD
OPENS(open, const char *name)
OPENS(open64, const char *name)
#undef FOLDER
#define FOLDER folder
OPENS(openat, int folder, const char *name)
OPENS(openat64, int folder, const char *name)

ssize_t write(int fd, const void *bytes, size_t length) {
  struct call call;
  start_open(&call, "write", fd);
  if (call.what == TORN) {
    syscall(SYS_write, fd, bytes, length / 2);
    die();
  }
  long done = MAKE(call, SYS_write, fd, bytes, length);
  return finish(&call, done, bytes, done);
}

static ssize_t write_at(int fd, const void *bytes, size_t length, off64_t offset) {
  struct call call;
  start_open(&call, "write", fd);
  call.offset = offset;
  if (call.what == TORN) {
    syscall(SYS_pwrite64, fd, bytes, length / 2, offset);
    die();
  }
  long done = MAKE(call, SYS_pwrite64, fd, bytes, length, offset);
  return finish(&call, done, bytes, done);
}
ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return write_at(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return write_at(fd, bytes, length, offset); }

/* As single writes: where one falls short, so does the whole. */
ssize_t writev(int fd, const struct iovec *parts, int count) {
  char path[LONGEST];
  int before = errno, ours = under && path_of(fd, path) && inside(path);
  errno = before;
  if (!ours) return syscall(SYS_writev, fd, parts, count);
  ssize_t total = 0;
  for (int i = 0; i < count; i++) {
    ssize_t done = write(fd, parts[i].iov_base, parts[i].iov_len);
    if (done < 0) return total ? total : -1;
    total += done;
    if ((size_t)done < parts[i].iov_len) break;
  }
  return total;
}

static int rename_file(int from, const char *old, int to, const char *new, unsigned flags) {
  struct call call;
  start(&call, "rename", from, old);
  if (call.watched) resolve(to, new, call.other);
  return finish(&call, MAKE(call, SYS_renameat2, from, old, to, new, flags), NULL, 0);
}
int rename(const char *old, const char *new) { return rename_file(AT_FDCWD, old, AT_FDCWD, new, 0); }
int renameat(int from, const char *old, int to, const char *new) { return rename_file(from, old, to, new, 0); }
int renameat2(int from, const char *old, int to, const char *new, unsigned flags) {
  return rename_file(from, old, to, new, flags);
}

static int remove_file(int folder, const char *name, int flags) {
  struct call call;
  start(&call, flags & AT_REMOVEDIR ? "rmdir" : "unlink", folder, name);
  return finish(&call, MAKE(call, SYS_unlinkat, folder, name, flags), NULL, 0);
}
int unlink(const char *name) { return remove_file(AT_FDCWD, name, 0); }
int rmdir(const char *name) { return remove_file(AT_FDCWD, name, AT_REMOVEDIR); }
int unlinkat(int folder, const char *name, int flags) { return remove_file(folder, name, flags); }

static int make_folder(int folder, const char *name, mode_t mode) {
  struct call call;
  start(&call, "mkdir", folder, name);
  return finish(&call, MAKE(call, SYS_mkdirat, folder, name, mode), NULL, 0);
}
int mkdir(const char *name, mode_t mode) { return make_folder(AT_FDCWD, name, mode); }
int mkdirat(int folder, const char *name, mode_t mode) { return make_folder(folder, name, mode); }

static int sync_file(int fd, long number) {
  struct call call;
  start_open(&call, "fsync", fd);
  return finish(&call, MAKE(call, number, fd), NULL, 0);
}
int fsync(int fd) { return sync_file(fd, SYS_fsync); }
int fdatasync(int fd) { return sync_file(fd, SYS_fdatasync); }

static int cut_file(int fd, off64_t length) {
  struct call call;
  start_open(&call, "truncate", fd);
  call.offset = length;
  return finish(&call, MAKE(call, SYS_ftruncate, fd, length), NULL, 0);
}
int ftruncate(int fd, off_t length) { return cut_file(fd, length); }
int ftruncate64(int fd, off64_t length) { return cut_file(fd, length); }

int clock_gettime(clockid_t clock, struct timespec *now) {
  int failed = syscall(SYS_clock_gettime, clock, now);
  if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) now->tv_sec -= clock_offset;
  return failed;
}
int gettimeofday(struct timeval *restrict now, void *restrict zone) {
  struct timespec exact;
  int failed = clock_gettime(CLOCK_REALTIME, &exact);
  *now = (struct timeval){exact.tv_sec, exact.tv_nsec / 1000};
  return (void)zone, failed;
}
time_t time(time_t *out) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return out ? (*out = now.tv_sec) : now.tv_sec;
}
