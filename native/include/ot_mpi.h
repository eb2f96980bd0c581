/*
 * libot_mpi: what OT asks of MPI, and no more. A library of its own, so that libot loads where there is no MPI.
 *
 * Every function but ot_mpi_abi_version and ot_mpi_last_error returns a status, 0 when all went well. Counts are items of `item` bytes (1, 4 or 8).
 * Collective calls must be made by all ranks in the same order; the order of their results is that of the ranks, never that of arrival.
 */
#ifndef OT_MPI_H
#define OT_MPI_H

#include <stdint.h>

#if defined(_WIN32)
#define OT_MPI_API __declspec(dllexport)
#else
#define OT_MPI_API __attribute__((visibility("default")))
#endif

/* Raised whenever a function of this file changes its meaning or its parameters. */
#define OT_MPI_ABI_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

enum ot_mpi_status {
  OT_MPI_OK = 0,
  /* A pointer is null, a count is negative or too large for MPI, or the library was not opened. */
  OT_MPI_INVALID_ARGUMENT = -1,
  /* Opened before and closed since: MPI starts once in a process. */
  OT_MPI_ENDED = -2,
  /* MPI itself failed; the text is MPI's own. */
  OT_MPI_FAILED = -3
};

OT_MPI_API int ot_mpi_abi_version(void);

/* MPI's name and version. Needs no start. */
OT_MPI_API int ot_mpi_library(const char **text);

/* Starts MPI unless the process has done so, and tells which rank of how many this is. */
OT_MPI_API int ot_mpi_open(int32_t *rank, int32_t *size);

/* Ends MPI if ot_mpi_open started it. Collective. */
OT_MPI_API int ot_mpi_close(void);

/* Every rank gets the items of all ranks, one after the other: counts[r] of them from rank r. */
OT_MPI_API int ot_mpi_allgather(const void *own, const int64_t *counts, int32_t item, void *all);

/* Rank r gets the r-th part of every rank: `parts` holds sent[r] items for rank r one after the other, `all` receives received[r] from rank r. */
OT_MPI_API int ot_mpi_alltoall(const void *parts, const int64_t *sent, int32_t item, void *all, const int64_t *received);

/*
 * Waits for all ranks to come here, for so many seconds at most; met tells whether they all did. Runs beside the other collectives, so that ranks that
 * gave up can find out whether the others have done so, too.
 */
OT_MPI_API int ot_mpi_meet(double seconds, int32_t *met);

/* Ends the processes of all ranks. Does not return. */
OT_MPI_API int ot_mpi_abort(int32_t code);

/* What went wrong in the last failed call of this thread; "" when nothing has. */
OT_MPI_API const char *ot_mpi_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
