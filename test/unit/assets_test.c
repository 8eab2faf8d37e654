/* The dashboard's files in the program. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "debug/assets.h"

static void finds_the_page_and_what_it_loads(void **state) {
    static const char *const paths[] = {"/",         "/dashboard.css", "/dashboard.js",
                                        "/icon.svg", "/uplot.css",     "/uplot.js"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        const struct debug_asset *asset = debug__find_asset(paths[i]);
        assert_non_null(asset);
        assert_true(asset->gzip.len > 18); /* gzip's own head and tail */
        assert_int_equal(asset->gzip.data[0], 0x1f);
        assert_int_equal(asset->gzip.data[1], 0x8b);
    }
}

static void no_two_have_one_path(void **state) {
    (void)state;
    for (size_t i = 0; i < debug__asset_count; i++)
        assert_ptr_equal(debug__find_asset(debug__assets[i].path), &debug__assets[i]);
}

static void finds_nothing_else(void **state) {
    static const char *const paths[] = {
        "", "/index.html", "/dashboard", "/../page/dashboard.js", "dashboard.js", "/dashboard.js/"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++)
        assert_null(debug__find_asset(paths[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_page_and_what_it_loads),
        cmocka_unit_test(no_two_have_one_path),
        cmocka_unit_test(finds_nothing_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
