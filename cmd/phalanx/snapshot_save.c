/* snapshot save: a server's state into a file that appears only when it is whole. */
#include "phalanx/caller.h"
#include "phalanx/commands.h"
#include "phalanx/output.h"
#include "phalanx/progress.h"
#include "phalanx/snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* What Linux takes, with the final zero. */
#define PATH_BYTES_MAX 4096

struct save {
    const char *path;
    char temporary[PATH_BYTES_MAX]; /* beside `path`, so that it can be renamed */
    int fd;
    struct kv_restore *check; /* reads along, to know that the stream is sound */
    struct cli_progress progress;
    enum status failed; /* why the sink stopped; STATUS_OK: it did not */
    int error;          /* errno, when that was STATUS_IO */
};

/* ---- Interrupts ---------------------------------------------------------------------------- */

/* What to remove when the program is interrupted. */
static char unfinished[PATH_BYTES_MAX];

static void on_interrupt(int signal_number) {
    (void)unlink(unfinished);
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number);
}

static void remove_when_interrupted(const char *path) {
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    struct sigaction action = {.sa_handler = on_interrupt};
    snprintf(unfinished, sizeof unfinished, "%s", path);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction old;
        /* What is ignored, as nohup does, stays so. */
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            (void)sigaction(signals[i], &action, NULL);
    }
}

/* ---- The file ------------------------------------------------------------------------------ */

static bool save_fail(const char *what, const char *path, int error) {
    cli_error("snapshot save: %s: %s: %s", path, what, strerror(error));
    return false;
}

static bool save_open(struct save *save) {
    struct stat old;
    if (stat(save->path, &old) == 0 && !S_ISREG(old.st_mode)) {
        cli_error("snapshot save: %s: must be a file: a device would be replaced", save->path);
        return false;
    }
    int len = snprintf(save->temporary, sizeof save->temporary, "%s.%ld.part", save->path,
                       (long)getpid());
    if (len >= (int)sizeof save->temporary)
        return save_fail("cannot create", save->path, ENAMETOOLONG);
    save->fd = open(save->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (save->fd < 0)
        return save_fail("cannot create", save->temporary, errno);
    remove_when_interrupted(save->temporary);
    return true;
}

static bool write_fully(int fd, struct bytes bytes) {
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.data, bytes.len);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return false;
        bytes = bytes_of(bytes.data + written, bytes.len - (size_t)written);
    }
    return true;
}

/* A renamed file is there after a power cut only once its directory is synced. */
static bool sync_directory_of(const char *path) {
    const char *slash = strrchr(path, '/');
    char directory[PATH_BYTES_MAX];
    if (slash == NULL)
        snprintf(directory, sizeof directory, ".");
    else /* with its slash, as it may be the root */
        snprintf(directory, sizeof directory, "%.*s", (int)(slash + 1 - path), path);
    int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool is_synced = fsync(fd) == 0;
    close(fd);
    return is_synced;
}

static bool save_publish(struct save *save) {
    if (fsync(save->fd) != 0)
        return save_fail("cannot sync", save->temporary, errno);
    if (rename(save->temporary, save->path) != 0)
        return save_fail("cannot rename", save->temporary, errno);
    if (!sync_directory_of(save->path))
        return save_fail("cannot sync the directory of", save->path, errno);
    return true;
}

/* ---- The stream ---------------------------------------------------------------------------- */

static enum status take_chunk(void *context, struct bytes chunk) {
    struct save *save = context;
    save->failed = kv_restore_write(save->check, chunk);
    if (save->failed == STATUS_OK && !write_fully(save->fd, chunk)) {
        save->failed = STATUS_IO;
        save->error = errno;
    }
    cli_progress_add(&save->progress, 0, chunk.len);
    return save->failed;
}

static void attempt_snapshot(void *context, struct rpc_client *client, uint64_t timeout_ms,
                             struct rpc_outcome *ret_outcome) {
    struct save *save = context;
    rpc_client_snapshot(client, timeout_ms, take_chunk, save, ret_outcome);
    if (save->failed != STATUS_OK)
        ret_outcome->code = RPC_OK; /* it is ours to tell, and another server would not help */
}

/* The sink stopped the transfer. */
static enum cli_exit fail_sink(const struct save *save) {
    if (save->failed == STATUS_IO && save->error != 0)
        (void)save_fail("cannot write", save->temporary, save->error);
    else
        cli_error("snapshot save: the stream is damaged (%s); no file was made: try again, or ask "
                  "another server with -addr",
                  status_text(save->failed));
    return CLI_EXIT_ERROR;
}

static enum cli_exit receive(const struct cli_invocation *invocation, struct save *save) {
    struct cli_caller *caller = cli_caller_new(invocation->flags);
    if (caller == NULL)
        return CLI_EXIT_USAGE;
    cli_progress_init(&save->progress, "snapshot save", NULL, false);
    /* Once pieces have arrived, another attempt would begin anew after them. */
    enum cli_exit end = cli_caller_read(caller, "snapshot save", false, attempt_snapshot, save);
    cli_progress_close(&save->progress);
    cli_caller_free(caller);
    return save->failed == STATUS_OK ? end : fail_sink(save);
}

static enum cli_exit finish(const struct cli_invocation *invocation, struct save *save) {
    struct kv_snapshot_info info;
    save->failed = kv_restore_finish(save->check, &info);
    if (save->failed != STATUS_OK)
        return fail_sink(save);
    if (!save_publish(save))
        return CLI_EXIT_ERROR;
    cli_snapshot_print(invocation->flags, save->path, &info);
    return CLI_EXIT_OK;
}

enum cli_exit cli_run_snapshot_save(const struct cli_invocation *invocation) {
    static struct save save; /* its path is too much for a stack, and there is only one */
    save = (struct save){.path = invocation->arguments[0], .fd = -1};
    enum status status = kv_restore_new(NULL, NULL, &save.check);
    if (status != STATUS_OK) {
        cli_error("snapshot save: %s", status_text(status));
        return CLI_EXIT_ERROR;
    }
    enum cli_exit end = CLI_EXIT_ERROR;
    if (save_open(&save)) {
        rpc_init();
        end = receive(invocation, &save);
        rpc_shutdown();
        if (end == CLI_EXIT_OK)
            end = finish(invocation, &save);
        if (end != CLI_EXIT_OK)
            (void)unlink(save.temporary);
        close(save.fd);
    }
    kv_restore_free(save.check);
    return end;
}
