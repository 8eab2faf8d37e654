#include "server/server.h"
#include "server/settings.h"

int main(int argc, char **argv) {
    struct settings settings;
    int exit_status;
    if (!settings_load(argc, argv, &settings, &exit_status))
        return exit_status;
    log_configure(settings.log_level, settings.log_format);
    settings_log(&settings);
    return server_run(&settings);
}
