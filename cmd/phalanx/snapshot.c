/* snapshot inspect and restore: a file read piece by piece, checked, and made into a directory. */
#include "phalanx/snapshot.h"

#include "phalanx/commands.h"
#include "phalanx/output.h"
#include "phalanx/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

/* Read at a time: large enough that the reads cost nothing. */
#define PIECE_BYTES (256 * KIB)

static void print_json(const char *path, const struct kv_snapshot_info *info) {
    struct cli_json json = {.out = stdout};
    cli_json_open(&json, NULL, '{');
    cli_json_text(&json, "file", path);
    cli_json_count(&json, "format", info->version);
    cli_json_id(&json, "cluster_id", info->cluster_id);
    cli_json_count(&json, "applied_index", info->meta.applied_index);
    cli_json_count(&json, "applied_term", info->meta.applied_term);
    cli_json_number(&json, "revision", info->meta.revision);
    cli_json_count(&json, "key_count", info->meta.key_count);
    cli_json_count(&json, "key_value_bytes", info->meta.key_value_bytes);
    cli_json_count(&json, "session_count", info->meta.session_count);
    cli_json_count(&json, "records", info->records);
    cli_json_count(&json, "bytes", info->bytes);
    cli_json_id(&json, "state_hash", info->hash);
    cli_json_close(&json, '}');
    putchar('\n');
}

void cli_snapshot_print(const struct cli_flags *flags, const char *path,
                        const struct kv_snapshot_info *info) {
    if (flags->is_json) {
        print_json(path, info);
        return;
    }
    printf("%s: sound, %" PRIu64 " bytes in format %" PRIu32 "\n", path, info->bytes,
           info->version);
    printf("  cluster   %016" PRIx64 "\n", info->cluster_id);
    printf("  applied   index %" PRIu64 " of term %" PRIu64 ", hash %016" PRIx64 "\n",
           (uint64_t)info->meta.applied_index, (uint64_t)info->meta.applied_term, info->hash);
    printf("  keys      %" PRIu64 " with %" PRIu64 " bytes, revision %" PRId64 ", %" PRIu64
           " sessions\n",
           info->meta.key_count, info->meta.key_value_bytes, info->meta.revision,
           info->meta.session_count);
}

/* ---- Reading a file ------------------------------------------------------------------------ */

struct reading {
    const char *command;
    const char *path;
    int fd;
    struct kv_restore *restore;
    struct cli_progress progress;
};

static bool fail_read(const struct reading *r) {
    cli_error("%s: %s: cannot read: %s", r->command, r->path, strerror(errno));
    return false;
}

static bool fail_status(const struct reading *r, enum status status) {
    const char *what =
        status == STATUS_CORRUPT ? "not a whole and sound snapshot" : status_text(status);
    cli_error("%s: %s: %s", r->command, r->path, what);
    return false;
}

static bool read_pieces(struct reading *r, uint8_t *piece) {
    for (;;) {
        ssize_t len = read(r->fd, piece, PIECE_BYTES);
        if (len < 0 && errno == EINTR)
            continue;
        if (len < 0)
            return fail_read(r);
        if (len == 0)
            return true;
        enum status status = kv_restore_write(r->restore, bytes_of(piece, (size_t)len));
        if (status != STATUS_OK)
            return fail_status(r, status);
        cli_progress_add(&r->progress, 0, (uint64_t)len);
    }
}

static bool read_open(struct reading *r, struct kv_snapshot_info *ret_info) {
    uint8_t *piece = malloc(PIECE_BYTES);
    CHECK(piece != NULL);
    cli_progress_init(&r->progress, r->command, NULL, false);
    bool is_read = read_pieces(r, piece);
    cli_progress_close(&r->progress);
    free(piece);
    if (!is_read)
        return false;
    enum status status = kv_restore_finish(r->restore, ret_info);
    return status == STATUS_OK || fail_status(r, status);
}

/* The whole file through `restore`. */
static enum cli_exit read_file(const struct cli_invocation *invocation,
                               struct kv_restore *restore) {
    struct reading r = {
        .command = invocation->command->name,
        .path = invocation->arguments[0],
        .restore = restore,
    };
    struct kv_snapshot_info info;
    r.fd = open(r.path, O_RDONLY | O_CLOEXEC);
    if (r.fd < 0) {
        (void)fail_read(&r);
        return CLI_EXIT_ERROR;
    }
    bool is_read = read_open(&r, &info);
    close(r.fd);
    if (!is_read)
        return CLI_EXIT_ERROR;
    cli_snapshot_print(invocation->flags, r.path, &info);
    return CLI_EXIT_OK;
}

/* ---- Commands ------------------------------------------------------------------------------ */

enum cli_exit cli_run_snapshot_inspect(const struct cli_invocation *invocation) {
    struct kv_restore *restore = NULL;
    enum status status = kv_restore_new(NULL, NULL, &restore);
    if (status != STATUS_OK) {
        cli_error("snapshot inspect: %s", status_text(status));
        return CLI_EXIT_ERROR;
    }
    enum cli_exit end = read_file(invocation, restore);
    kv_restore_free(restore);
    return end;
}

static enum cli_exit restore_into(const struct cli_invocation *invocation,
                                  struct kv_directory *directory) {
    struct kv_restore *restore = NULL;
    enum status status = kv_restore_new(directory, invocation->flags->node_id, &restore);
    if (status != STATUS_OK) {
        cli_error("snapshot restore: %s: %s", invocation->flags->data_dir,
                  status == STATUS_BUSY ? "holds data already: name a new directory"
                                        : status_text(status));
        return CLI_EXIT_ERROR;
    }
    enum cli_exit end = read_file(invocation, restore);
    kv_restore_free(restore);
    return end;
}

enum cli_exit cli_run_snapshot_restore(const struct cli_invocation *invocation) {
    const struct cli_flags *flags = invocation->flags;
    if (flags->data_dir == NULL) {
        cli_error("snapshot restore: -data-dir DIR is missing: where to make the new directory");
        return CLI_EXIT_USAGE;
    }
    if (flags->node_id != NULL && strlen(flags->node_id) >= NAME_BYTES_MAX) {
        cli_error("snapshot restore: -node-id: at most %zu bytes", NAME_BYTES_MAX - 1);
        return CLI_EXIT_USAGE;
    }
    struct kv_directory *directory = NULL;
    enum status status = kv_directory_open(flags->data_dir, &directory);
    if (status != STATUS_OK) {
        cli_error("snapshot restore: %s: %s", flags->data_dir,
                  status == STATUS_BUSY ? "a server has it open" : strerror(errno));
        return CLI_EXIT_ERROR;
    }
    enum cli_exit end = restore_into(invocation, directory);
    kv_directory_close(directory);
    return end;
}
