// Glibc's Swift module lacks these headers (epoll, eventfd, signalfd, accept4, the scheduler's affinity mask), and
// socket addresses are unions that only C reads without casting.
#ifndef CLINUX_H
#define CLINUX_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/types.h>

// Room for "[address]:port" with an interface scope, and the NUL.
#define CLINUX_ADDRESS_TEXT 72

// A non-blocking listening TCP socket on a numeric address, or -1 with errno set (EINVAL: not a numeric address). Its
// connections have TCP_NODELAY set. With reuse_port several sockets share the port, and the kernel spreads connections over
// them.
int clinux_listen(const char *host, uint16_t port, int backlog, int reuse_port);

// How many keep-alive probes a silent peer gets before the connection ends.
#define CLINUX_KEEPALIVE_PROBES 4

// Makes the kernel probe connections of a listening TCP socket after this many seconds of silence, and end those whose peer
// stays silent for as long again (tcp(7), TCP_KEEPIDLE). -1 with errno set.
int clinux_keep_alive(int listener, int seconds);

// Room for the path of a Unix socket and the NUL.
#define CLINUX_PATH_TEXT 109

// A new non-blocking Unix stream socket. No other user can use its file, made at path: its permission bits are 0 from
// the beginning. It does not listen yet. -1 with errno set (ENAMETOOLONG: longer than 107 bytes; EADDRINUSE: path
// exists).
int clinux_bind_unix(const char *path);

// Whether something listens on the Unix socket at path: 1 or 0, or -1 with errno set.
int clinux_unix_is_served(const char *path);

// Opens what is at path without following a link, with O_PATH; -1 with errno set.
int clinux_open_path(const char *path);

// Changes owner and group ((uint32_t)-1: keep) and then the permission bits of what clinux_open_path opened; 0, or -1.
int clinux_set_permissions(int descriptor, uint32_t owner, uint32_t group, uint32_t mode);

// Opens the directory at path, relative to an open one or AT_FDCWD, with O_PATH, which Glibc's module lacks; -1 with errno set.
int clinux_open_directory(int directory, const char *path);

// Whether the mount through which a directory was opened, or its file system, is read-only.
int clinux_is_read_only(int directory);

// Whether a directory has an access control list besides its permission bits (acl(5)): 1 or 0, or -1 with errno set.
int clinux_has_access_list(int directory);

// The same for a file: the open one, or, if `file` is negative, the one at `path`.
int clinux_file_has_access_list(int file, const char *path);

// The path that a Unix socket is bound to, "" if it has none, or -1 with errno set.
int clinux_unix_path(int socket, char text[CLINUX_PATH_TEXT]);

// The user at the other end of a connected Unix socket, as of when it connected; 0, or -1 with errno set.
int clinux_peer_user(int socket, uint32_t *user);

// Sends one datagram to the Unix socket at path ("@name": in the abstract namespace). If the receiver's queue is full, waits at
// most this many milliseconds; 0, or -1 with errno set.
int clinux_send_datagram(const char *path, const char *message, int milliseconds);

// A non-blocking socket of this type, connected to the Unix socket at path ("@name": in the abstract namespace); -1 with errno
// set (EPROTOTYPE: the other socket has another type).
int clinux_begin_connect_unix(const char *path, int type);

// Sets a timeout in milliseconds for each connect, send and receive on a blocking socket (0: none); 0, or -1 with errno set.
int clinux_limit_waiting(int socket, int milliseconds);

// A blocking connection to a numeric address, with that timeout; -1 with errno set.
int clinux_connect(const char *host, uint16_t port, int milliseconds);

// The same to the Unix socket at path ("@name": in the abstract namespace); EAGAIN: its queue stayed full.
int clinux_connect_unix(const char *path, int milliseconds);

// A descriptor that becomes readable when the process that listens at the other end of a connected Unix socket ends; -1 with
// errno set.
int clinux_open_peer_process(int socket);

// Accepts the next connection of a listening socket, non-blocking and with TCP_NODELAY (connections of clinux_listen's sockets
// inherit it: has_delay = 0); -1 with errno set. Writes the peer's address to text as "host:port", "unknown" for a Unix socket.
int clinux_accept(int listener, int has_delay, char text[CLINUX_ADDRESS_TEXT]);

// The local (peer = 0) or remote (peer = 1) address of a socket as "host:port"; its port, or -1 with errno set.
int clinux_socket_address(int socket, int peer, char text[CLINUX_ADDRESS_TEXT]);

// recv and send without flags, except that they raise no signal; -1 with errno set. The C library's versions are cancellation
// points, which costs a good part of the call, and this program never cancels threads.
ssize_t clinux_receive(int socket, void *bytes, size_t count);
ssize_t clinux_send(int socket, const void *bytes, size_t count);

// Whether a stream socket has nothing to read, not even an end of stream: 1; 0 if there is something, or if the kernel does not
// say. Cheaper than an attempt to read, since it does not lock the socket.
int clinux_is_quiet(int socket);

// The number of bytes that were written to a TCP socket and that the peer has not acknowledged; -1 with errno set.
int clinux_undelivered_bytes(int socket);

// epoll_ctl with a token instead of the union; 0, or -1 with errno set.
int clinux_epoll_control(int epoll, int operation, int descriptor, uint32_t events, uint64_t token);

// Nanoseconds of the monotonic clock, which stops while the machine sleeps; of the boot-time clock, which does not; of the wall
// clock, since 1970.
uint64_t clinux_monotonic_nanoseconds(void);
uint64_t clinux_boottime_nanoseconds(void);
uint64_t clinux_realtime_nanoseconds(void);

// How many cores this process may use: the lower of its affinity mask and the CPU limit of its control group (v2), rounded up.
int clinux_available_cores(void);

// Releases unmodified file-backed pages of the program and its libraries, and free heap. The kernel maps pages again from its
// cache when they are needed.
void clinux_release_clean_pages(void);

// Returns freed small blocks that the allocator keeps to the system.
void clinux_return_free_memory(void);

// Names the calling thread for ps and debuggers; the first 15 characters are kept.
void clinux_name_thread(const char *name);

// Starts the program at path in a process group of its own, with no signal blocked or ignored. Its standard input and error are
// /dev/null; output is the non-blocking read end of its standard output; it inherits no other descriptor. Returns the process
// id, or -1 with errno set.
pid_t clinux_start_program(const char *path, char *const arguments[], char *const environment[], int *output);

// Starts the program at path with this process's standard descriptors, process group and ignored signals; SIGHUP, SIGUSR1 and
// SIGUSR2 are blocked in it. The descriptors, which ascend and are none of the first three, are the numbers from 3 on in it, and
// no other is open. The program's process, or -1 with errno set.
pid_t clinux_start_successor(
    const char *path, char *const arguments[], char *const environment[], const int *descriptors, int count);

// A new empty file in memory, closed on exec; -1 with errno set.
int clinux_memory_file(const char *name);

// From now on the content of such a file cannot be changed; 0, or -1 with errno set.
int clinux_seal_memory_file(int file);

// Whether a descriptor is such a file, sealed.
int clinux_is_sealed_memory_file(int file);

// A pipe whose reading end, the first, is non-blocking; closed on exec; 0, or -1 with errno set.
int clinux_pipe(int ends[2]);

// A descriptor that can be read once the process has ended; -1 with errno set.
int clinux_open_process(pid_t process);

// Waits at most this many milliseconds until data, or the end, can be read: 1, 0 on timeout, or -1 with errno set.
int clinux_wait_readable(int descriptor, int milliseconds);

// The same for the output of a program that has not been waited for, or for its end, which sets ended.
int clinux_wait_output(int output, pid_t child, int milliseconds, int *ended);

// Waits at most this many milliseconds for the end of a program; status is as from waitpid: 1, 0 on timeout, or -1 with errno
// set.
int clinux_wait_program(pid_t child, int milliseconds, int *status);

// Kills a program that has not been waited for, with its process group, and waits for its end; 0, or -1 with errno set.
int clinux_kill_program(pid_t child, int *status);

// Whether core dumps of this process can be written, and other processes of its user can read its memory (PR_SET_DUMPABLE): 1 or 0.
int clinux_is_open_to_others(void);

// Changes that; 0, or -1 with errno set.
int clinux_set_open_to_others(int is_open);

// Whether the calling thread, and what it starts, can gain no privileges by exec (PR_SET_NO_NEW_PRIVS): 1 or 0.
int clinux_gains_no_privileges(void);

// Has that so from now on, for the calling thread and threads that it starts; 0, or -1 with errno set.
int clinux_gain_no_privileges(void);

// Overwrites the value of a variable in an environment, an array that ends with NULL. The strings of `environ` are those that the
// kernel has put on the stack, and that /proc/PID/environ shows, unless setenv has replaced one, which no part of this program calls.
void clinux_wipe_variable(char *const *entries, const char *name);

// A descriptor of memory with these bytes that no process can change any more, closed by exec; -1 with errno set.
int clinux_seal(const char *name, const void *bytes, size_t count);

// How many bytes such memory has; -1 with errno set (EINVAL: the descriptor is one of something else).
ssize_t clinux_sealed_size(int descriptor);

// Whether the process ignores a signal, as a process that nohup has started ignores SIGHUP.
int clinux_ignores_signal(int signal);

// Blocks the signals in every thread started later, and returns a descriptor that reads them; -1 with errno set.
int clinux_signal_descriptor(const int *signals, int count);

#endif
