/* Run by mpirun with two ranks and more: the exchanges of libot_mpi against what they should give, and what they must refuse. */
#include <stdio.h>
#include <string.h>

#include "ot_mpi.h"

#define CHECK(holds)                                                                            \
  do {                                                                                          \
    if (!(holds)) {                                                                             \
      fprintf(stderr, "%s:%d: %s; last error: %s\n", __FILE__, __LINE__, #holds, ot_mpi_last_error()); \
      return 1;                                                                                 \
    }                                                                                           \
  } while (0)

enum { MAX_RANKS = 16 };

int main(void) {
  int32_t rank = -1, size = -1, met = 0;
  int64_t counts[MAX_RANKS], one[MAX_RANKS];
  double own[MAX_RANKS], all[MAX_RANKS * MAX_RANKS];
  const char *text = NULL;

  CHECK(ot_mpi_abi_version() == OT_MPI_ABI_VERSION);
  CHECK(ot_mpi_library(NULL) == OT_MPI_INVALID_ARGUMENT);
  CHECK(ot_mpi_library(&text) == OT_MPI_OK && strlen(text) > 0);
  CHECK(ot_mpi_allgather(own, counts, 8, all) == OT_MPI_INVALID_ARGUMENT); /* not open */
  CHECK(ot_mpi_abort(1) == OT_MPI_INVALID_ARGUMENT);
  CHECK(ot_mpi_open(NULL, &size) == OT_MPI_INVALID_ARGUMENT);
  CHECK(ot_mpi_open(&rank, &size) == OT_MPI_OK);
  CHECK(size >= 1 && size <= MAX_RANKS && rank >= 0 && rank < size);

  /* Rank r gives r items. */
  for (int r = 0; r < size; r++) {
    counts[r] = r;
    one[r] = 1;
  }
  for (int k = 0; k < rank; k++) own[k] = 100 * rank + k;
  CHECK(ot_mpi_allgather(own, counts, 8, all) == OT_MPI_OK);
  for (int r = 0, at = 0; r < size; r++) {
    for (int k = 0; k < r; k++) CHECK(all[at++] == 100 * r + k);
  }

  for (int r = 0; r < size; r++) own[r] = 100 * rank + r;
  CHECK(ot_mpi_alltoall(own, one, 8, all, one) == OT_MPI_OK);
  for (int r = 0; r < size; r++) CHECK(all[r] == 100 * r + rank);

  CHECK(ot_mpi_allgather(own, counts, 3, all) == OT_MPI_INVALID_ARGUMENT);
  counts[0] = -1;
  CHECK(ot_mpi_allgather(own, counts, 8, all) == OT_MPI_INVALID_ARGUMENT);
  counts[0] = (int64_t)1 << 31;
  CHECK(ot_mpi_alltoall(own, counts, 8, all, one) == OT_MPI_INVALID_ARGUMENT);

  CHECK(ot_mpi_meet(10, &met) == OT_MPI_OK && met == 1);
  CHECK(ot_mpi_close() == OT_MPI_OK);
  CHECK(ot_mpi_close() == OT_MPI_OK);
  CHECK(ot_mpi_open(&rank, &size) == OT_MPI_ENDED);
  return 0;
}
