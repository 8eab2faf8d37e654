/* phalanx: the command line of a Phalanx cluster. */
#include "phalanx/commands.h"

int main(int argc, char **argv) {
    return (int)cli_run(argc > 1 ? (size_t)argc - 1 : 0, (const char *const *)argv + 1);
}
