/*
 * Counts the effects of a process and of the programs it starts, and cuts them off at one.
 *
 * Preloaded (LD_PRELOAD), it stands before every call of libc that changes a disk, starts a
 * program or signals one, whoever makes it: Python, libgit2 or git. An armed process shares one
 * record (a file mapped by all) in which each effect leaves its name; at effect number `at` the
 * root process is killed before or after the call, or the call is done and its answer lost, or
 * the disk is full from there on. Effects outside of the folder `base` do not count.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

enum { EFFECTS = 4096, LABEL = 160 };
enum { TRACE, BEFORE, AFTER, LOST, FULL };

struct record {
    atomic_int count, full, reached, root;
    int at, mode;
    char base[256];
    char labels[EFFECTS][LABEL];
};

static struct record *shared;

static void *next(const char *name) { return dlsym(RTLD_NEXT, name); }
#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = next(#name)

static int open_record(const char *path) {
    int fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) return -1;
    void *found = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (found == MAP_FAILED) return -1;
    shared = found;
    return 0;
}

/* Called by the process to be cut off, once it is forked. */
int cutter_arm(const char *path) {
    if (open_record(path)) return -1;
    shared->root = getpid();
    return 0;
}

__attribute__((constructor)) static void join(void) {
    const char *path = getenv("CUTTER_RECORD");
    char name[16] = "";
    FILE *comm = fopen("/proc/self/comm", "r");
    if (comm) {
        if (fscanf(comm, "%15s", name) != 1) name[0] = 0;
        fclose(comm);
    }
    if (path && strncmp(name, "git", 3) == 0) open_record(path);
}

static void place(int dir, const char *path, char *out) {
    char folder[PATH_MAX] = "", link[64];
    if (path[0] != '/') {
        snprintf(link, sizeof link, dir == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", dir);
        ssize_t length = readlink(link, folder, sizeof folder - 1);
        folder[length > 0 ? length : 0] = 0;
        snprintf(out, PATH_MAX, path[0] ? "%s/%s" : "%s", folder, path);
    } else {
        snprintf(out, PATH_MAX, "%s", path);
    }
}

static void kill_all(void) {
    shared->reached = 1;
    syscall(SYS_kill, shared->root, SIGKILL);
    syscall(SYS_kill, getpid(), SIGKILL);
    for (;;) pause();
}

static int write_label(const char *call, const char *path) {
    int number = ++shared->count;
    if (number <= EFFECTS)
        snprintf(shared->labels[number - 1], LABEL, "%s %s", call, path);
    return number;
}

/* Returns the effect's number, 0 for what does not count, -1 (and errno) if it must fail. */
static int enter(const char *call, int dir, const char *path, int fills) {
    if (!shared) return 0;
    int saved = errno;
    char full[PATH_MAX];
    place(dir, path, full);
    size_t length = strlen(shared->base);
    if (strncmp(full, shared->base, length)) {
        errno = saved;
        return 0;
    }
    if (shared->full && fills) {
        errno = ENOSPC;
        return -1;
    }
    int number = write_label(call, full + length);
    if (number == shared->at && shared->mode == BEFORE) kill_all();
    if (number == shared->at && shared->mode == FULL) {
        shared->reached = shared->full = 1;
        if (fills) {
            errno = ENOSPC;
            return -1;
        }
    }
    errno = saved;
    return number;
}

static int enter_file(const char *call, int fd, int fills) {
    struct stat found;
    if (!shared || fstat(fd, &found) || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) return 0;
    return enter(call, fd, "", fills);
}

static long leave(int number, long result) {
    if (number <= 0 || number != shared->at) return result;
    if (shared->mode == AFTER) kill_all();
    if (shared->mode != LOST) return result;
    shared->reached = 1;
    if (result < 0) return result;
    errno = EIO;
    return -1;
}

#define EFFECT(number, result, call) \
    int number_ = (number); \
    return number_ < 0 ? (result)-1 : (result)leave(number_, (long)(call))

static int open_at(const char *name, int dir, const char *path, int flags, mode_t mode) {
    int creates = flags & (O_CREAT | O_TRUNC);
    int number = creates ? enter(name, dir, path, flags & O_CREAT) : 0;
    if (number < 0) return -1;
    int fd = syscall(SYS_openat, dir, path, flags, mode);
    int result = leave(number, fd);
    if (result < 0 && fd >= 0) syscall(SYS_close, fd);
    return result;
}

#define OPEN(name) \
    int name(const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return open_at("open", AT_FDCWD, path, flags, mode); \
    }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
    int name(int dir, const char *path, int flags, ...) { \
        va_list more; \
        va_start(more, flags); \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
        va_end(more); \
        return open_at("open", dir, path, flags, mode); \
    }
OPENAT(openat)
OPENAT(openat64)

int creat(const char *path, mode_t mode) {
    return open_at("open", AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode);
}

ssize_t write(int fd, const void *data, size_t size) {
    EFFECT(enter_file("write", fd, 1), ssize_t, syscall(SYS_write, fd, data, size));
}
ssize_t pwrite(int fd, const void *data, size_t size, off_t at) {
    EFFECT(enter_file("write", fd, 1), ssize_t, syscall(SYS_pwrite64, fd, data, size, at));
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
    EFFECT(enter_file("write", fd, 1), ssize_t, syscall(SYS_pwrite64, fd, data, size, at));
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
    EFFECT(enter_file("write", fd, 1), ssize_t, syscall(SYS_writev, fd, parts, count));
}
int fsync(int fd) { EFFECT(enter_file("fsync", fd, 1), int, syscall(SYS_fsync, fd)); }
int fdatasync(int fd) { EFFECT(enter_file("fsync", fd, 1), int, syscall(SYS_fdatasync, fd)); }
int ftruncate(int fd, off_t size) {
    EFFECT(enter_file("truncate", fd, 1), int, syscall(SYS_ftruncate, fd, size));
}
int ftruncate64(int fd, off64_t size) {
    EFFECT(enter_file("truncate", fd, 1), int, syscall(SYS_ftruncate, fd, size));
}
int truncate(const char *path, off_t size) {
    EFFECT(enter("truncate", AT_FDCWD, path, 1), int, syscall(SYS_truncate, path, size));
}
int fchmod(int fd, mode_t mode) {
    EFFECT(enter_file("chmod", fd, 0), int, syscall(SYS_fchmod, fd, mode));
}
int chmod(const char *path, mode_t mode) {
    EFFECT(enter("chmod", AT_FDCWD, path, 0), int, syscall(SYS_chmod, path, mode));
}
int fchmodat(int dir, const char *path, mode_t mode, int flags) {
    REAL(int, fchmodat, int, const char *, mode_t, int);
    EFFECT(enter("chmod", dir, path, 0), int, real(dir, path, mode, flags));
}
int fchown(int fd, uid_t user, gid_t group) {
    EFFECT(enter_file("chown", fd, 0), int, syscall(SYS_fchown, fd, user, group));
}
int chown(const char *path, uid_t user, gid_t group) {
    EFFECT(enter("chown", AT_FDCWD, path, 0), int, syscall(SYS_chown, path, user, group));
}
int lchown(const char *path, uid_t user, gid_t group) {
    EFFECT(enter("chown", AT_FDCWD, path, 0), int, syscall(SYS_lchown, path, user, group));
}
int fchownat(int dir, const char *path, uid_t user, gid_t group, int flags) {
    EFFECT(enter("chown", dir, path, 0), int,
           syscall(SYS_fchownat, dir, path, user, group, flags));
}
int fsetxattr(int fd, const char *name, const void *value, size_t size, int flags) {
    EFFECT(enter_file("setxattr", fd, 1), int,
           syscall(SYS_fsetxattr, fd, name, value, size, flags));
}
int setxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
    EFFECT(enter("setxattr", AT_FDCWD, path, 1), int,
           syscall(SYS_setxattr, path, name, value, size, flags));
}
int lsetxattr(const char *path, const char *name, const void *value, size_t size, int flags) {
    EFFECT(enter("setxattr", AT_FDCWD, path, 1), int,
           syscall(SYS_lsetxattr, path, name, value, size, flags));
}
int rename(const char *from, const char *to) {
    EFFECT(enter("rename", AT_FDCWD, to, 1), int, syscall(SYS_rename, from, to));
}
int renameat(int dir, const char *from, int other, const char *to) {
    EFFECT(enter("rename", other, to, 1), int, syscall(SYS_renameat, dir, from, other, to));
}
int renameat2(int dir, const char *from, int other, const char *to, unsigned flags) {
    EFFECT(enter("rename", other, to, 1), int,
           syscall(SYS_renameat2, dir, from, other, to, flags));
}
int link(const char *from, const char *to) {
    EFFECT(enter("link", AT_FDCWD, to, 1), int, syscall(SYS_link, from, to));
}
int linkat(int dir, const char *from, int other, const char *to, int flags) {
    EFFECT(enter("link", other, to, 1), int, syscall(SYS_linkat, dir, from, other, to, flags));
}
int symlink(const char *target, const char *path) {
    EFFECT(enter("symlink", AT_FDCWD, path, 1), int, syscall(SYS_symlink, target, path));
}
int symlinkat(const char *target, int dir, const char *path) {
    EFFECT(enter("symlink", dir, path, 1), int, syscall(SYS_symlinkat, target, dir, path));
}
int mkdir(const char *path, mode_t mode) {
    EFFECT(enter("mkdir", AT_FDCWD, path, 1), int, syscall(SYS_mkdir, path, mode));
}
int mkdirat(int dir, const char *path, mode_t mode) {
    EFFECT(enter("mkdir", dir, path, 1), int, syscall(SYS_mkdirat, dir, path, mode));
}
int unlink(const char *path) {
    EFFECT(enter("unlink", AT_FDCWD, path, 0), int, syscall(SYS_unlink, path));
}
int unlinkat(int dir, const char *path, int flags) {
    EFFECT(enter(flags & AT_REMOVEDIR ? "rmdir" : "unlink", dir, path, 0), int,
           syscall(SYS_unlinkat, dir, path, flags));
}
int rmdir(const char *path) {
    EFFECT(enter("rmdir", AT_FDCWD, path, 0), int, syscall(SYS_rmdir, path));
}
int remove(const char *path) {
    struct stat found;
    if (lstat(path, &found)) return -1;
    return S_ISDIR(found.st_mode) ? rmdir(path) : unlink(path);
}

static int enter_process(const char *call, const char *name) {
    if (!shared) return 0;
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", shared->base, name);
    return enter(call, AT_FDCWD, path, 0);
}
int execve(const char *path, char *const arguments[], char *const environment[]) {
    /* A program that is looked for along PATH starts once: where it is. */
    int number = access(path, X_OK) ? 0 : enter_process("exec", path);
    if (number < 0) return -1;
    return syscall(SYS_execve, path, arguments, environment);
}
int kill(pid_t process, int number) {
    if (!number) return syscall(SYS_kill, process, number);
    EFFECT(enter_process("signal", process < 0 ? "group" : "process"), int,
           syscall(SYS_kill, process, number));
}
/* Python sends to a descriptor of a process by `syscall`, as nothing in libc does it. */
long syscall(long call, ...) {
    va_list more;
    va_start(more, call);
    long a = va_arg(more, long), b = va_arg(more, long), c = va_arg(more, long);
    long d = va_arg(more, long), e = va_arg(more, long), f = va_arg(more, long);
    va_end(more);
    REAL(long, syscall, long, ...);
    if (call != SYS_pidfd_send_signal || !b) return real(call, a, b, c, d, e, f);
    EFFECT(enter_process("signal", "process"), long, real(call, a, b, c, d, e, f));
}
