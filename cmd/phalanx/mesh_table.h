/* The whole cluster as a table, as one server sees it. */
#ifndef PHALANX_CLI_MESH_TABLE_H
#define PHALANX_CLI_MESH_TABLE_H

#include "node_report.h"

/* Two lines about the cluster, and one for each node; on stdout. */
void cli_mesh_print(const struct node_report *report);

/* The same as one line of JSON. */
void cli_mesh_print_json(const struct node_report *report);

#endif
