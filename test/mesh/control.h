/* Lines to a running network and their answers, over a socket in the file system. An answer's first
 * letter says whether the line was obeyed. */
#ifndef PHALANX_MESH_CONTROL_H
#define PHALANX_MESH_CONTROL_H

#include "mesh/command.h"

/* Non-blocking; takes the place of what has that path. -1: errno says why not. */
int mesh_control_open(const char *path);

/* Obeys what has arrived. */
void mesh_control_serve(int control, struct mesh_network *network);

/* Sends a line and prints the answer. The exit status of a program that does this. */
int mesh_control_tell(const char *path, const char *line);

#endif
