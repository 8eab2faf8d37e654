/* A tun device in another network namespace: what is sent there is read here. */
#ifndef PHALANX_MESH_DEVICE_H
#define PHALANX_MESH_DEVICE_H

/* The interface's name in each namespace. */
#define MESH_DEVICE "mesh0"

/* Made in the namespace that `ip netns` knows by this name; gone when the file is closed, at the
 * latest with the process. Non-blocking. -1: errno says why not. */
int mesh_device_open(const char *namespace_name);

#endif
