#include "kv/directory.h"
#include "support/temporary.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static void makes_the_directory_with_its_parents(void **state) {
    struct kv_directory *directory;
    struct stat info;
    const char *path = temporary_path(*state, "a/b/c");
    assert_int_equal(kv_directory_open(path, &directory), STATUS_OK);
    assert_string_equal(kv_directory_path(directory), path);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0750);
    kv_directory_close(directory);
}

static void second_opener_is_told_that_it_is_busy(void **state) {
    struct kv_directory *first, *second = NULL;
    const char *path = temporary_path(*state, "data");
    assert_int_equal(kv_directory_open(path, &first), STATUS_OK);
    assert_int_equal(kv_directory_open(path, &second), STATUS_BUSY);
    assert_null(second);
    kv_directory_close(first);
    assert_int_equal(kv_directory_open(path, &second), STATUS_OK);
    kv_directory_close(second);
}

static void file_in_the_way_is_an_error_with_its_reason(void **state) {
    struct kv_directory *directory;
    FILE *file = fopen(temporary_path(*state, "file"), "w");
    assert_non_null(file);
    (void)fclose(file);
    assert_int_equal(kv_directory_open(temporary_path(*state, "file"), &directory), STATUS_IO);
    assert_int_equal(errno, ENOTDIR);
    assert_int_equal(kv_directory_open(temporary_path(*state, "file/x"), &directory), STATUS_IO);
    assert_int_equal(errno, ENOTDIR);
}

static void empty_path_is_an_error(void **state) {
    (void)state;
    struct kv_directory *directory;
    assert_int_equal(kv_directory_open("", &directory), STATUS_IO);
    assert_int_equal(errno, ENOENT);
}

static void takes_a_path_below_the_working_directory(void **state) {
    const struct temporary *t = *state;
    struct kv_directory *directory;
    char before[TEMPORARY_PATH_BYTES];
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(t->path), 0);
    assert_int_equal(kv_directory_open("data/", &directory), STATUS_OK);
    kv_directory_close(directory);
    assert_int_equal(chdir(before), 0);
    assert_true(kv__path_exists(temporary_path(t, "data/lock")));
}

static void says_what_the_problem_is(void **state) {
    struct kv_directory *directory;
    assert_int_equal(kv_directory_open(temporary_path(*state, "data"), &directory), STATUS_OK);
    assert_string_equal(kv_directory_problem(directory), "");
    enum status status = kv__directory_problem(directory, STATUS_CORRUPT, "entry %d", 7);
    assert_int_equal(status, STATUS_CORRUPT);
    assert_string_equal(kv_directory_problem(directory), "entry 7");
    kv_directory_close(directory);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, temporary_setup, temporary_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(makes_the_directory_with_its_parents),
        TEST(second_opener_is_told_that_it_is_busy),
        TEST(file_in_the_way_is_an_error_with_its_reason),
        TEST(empty_path_is_an_error),
        TEST(takes_a_path_below_the_working_directory),
        TEST(says_what_the_problem_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
