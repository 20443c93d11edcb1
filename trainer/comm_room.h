/* comm_room.h - a group whose members share memory: the processes of one machine.
 *
 *   room   [ barrier | set 0: slot of member 0, slot of member 1, ... | set 1: slots ]
 *
 * A sum goes through it piece by piece. Everyone puts its piece into its slot; when all have, each member adds up its own stretch of
 * the piece over all slots, by rank, into the first one; when all have, everyone takes the sum. What is short is added up by everyone
 * instead, which is one meeting less. Pieces use the two sets in turn, so that none waits until the one before has been read.
 *
 * Members that wait sleep: they take no processor time from those that still work.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef RESIDUA_COMM_ROOM_H
#define RESIDUA_COMM_ROOM_H

#include "engine/base/error.h"
#include "engine/base/group.h"

#define COMM_ROOM_MAX 1024 /* members */

typedef struct RoomGroup {
    Group group; /* first: a Group is one of these */
    char *memory;     /* borrowed */
    size_t slot_size; /* bytes of a piece */
    int set;          /* whose turn it is */
} RoomGroup;

/* Bytes of the room of n_members; its memory is aligned to MEM_ALIGN. n_members: 1 to COMM_ROOM_MAX. */
size_t comm_room_size(int n_members);
/* One member prepares the memory before any other joins. Errors: RSD_ERR_UNSUPPORTED (the system has no barrier between processes). */
RsdStatus comm_room_prepare(void *memory, int n_members, RsdError *err);
/* memory: as this process sees it; stays until the last member's last call. */
void comm_room_join(RoomGroup *room, void *memory, int rank, int n_members);

#endif
