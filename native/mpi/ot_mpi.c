#define _GNU_SOURCE
#include "ot_mpi.h"

#include <limits.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#if !defined(_WIN32)
#include <dlfcn.h>
#include <time.h>
#endif

static _Thread_local char last_error[MPI_MAX_ERROR_STRING + 64] = "";

/* Communicators of our own: a program that uses MPI itself gets none of our messages, and the ranks that gave up meet beside those that did not. */
static MPI_Comm work = MPI_COMM_NULL;
static MPI_Comm wake = MPI_COMM_NULL;
static int started = 0;

static int fail(int status, const char *function, const char *text) {
  snprintf(last_error, sizeof last_error, "%s: %s", function, text);
  return status;
}

static int check(int code, const char *function) {
  if (code == MPI_SUCCESS) {
    return OT_MPI_OK;
  }
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(code, text, &length);
  return fail(OT_MPI_FAILED, function, text);
}

#define TRY(call)                            \
  do {                                       \
    int status_ = check((call), __func__);   \
    if (status_ != OT_MPI_OK) return status_; \
  } while (0)

/* Plugins of Open MPI look for the symbols of libmpi in the global scope, and whoever loads this library loads it locally. */
static void make_mpi_global(void) {
#if !defined(_WIN32)
  Dl_info info;
  if (dladdr((void *)(uintptr_t)&MPI_Init_thread, &info) != 0 && info.dli_fname != NULL) {
    dlopen(info.dli_fname, RTLD_NOW | RTLD_GLOBAL | RTLD_NOLOAD);
  }
#endif
}

int ot_mpi_abi_version(void) { return OT_MPI_ABI_VERSION; }

const char *ot_mpi_last_error(void) { return last_error; }

int ot_mpi_library(const char **text) {
  static char version[MPI_MAX_LIBRARY_VERSION_STRING];
  if (text == NULL) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "text is null");
  }
  int length = 0;
  TRY(MPI_Get_library_version(version, &length));
  *text = version;
  return OT_MPI_OK;
}

int ot_mpi_open(int32_t *rank, int32_t *size) {
  if (rank == NULL || size == NULL) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "rank or size is null");
  }
  if (work == MPI_COMM_NULL) {
    int running = 0, ended = 0;
    make_mpi_global();
    TRY(MPI_Finalized(&ended));
    if (ended) {
      return fail(OT_MPI_ENDED, __func__, "MPI has ended in this process and cannot start again");
    }
    TRY(MPI_Initialized(&running));
    if (!running) {
      int provided = 0;
      TRY(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &provided));
      started = 1;
      if (provided < MPI_THREAD_SERIALIZED) {
        return fail(OT_MPI_FAILED, __func__, "this MPI takes calls from one thread alone (MPI_THREAD_SERIALIZED is wanted)");
      }
    }
    TRY(MPI_Comm_dup(MPI_COMM_WORLD, &work));
    TRY(MPI_Comm_dup(MPI_COMM_WORLD, &wake));
    TRY(MPI_Comm_set_errhandler(work, MPI_ERRORS_RETURN));
    TRY(MPI_Comm_set_errhandler(wake, MPI_ERRORS_RETURN));
  }
  int r = 0, n = 0;
  TRY(MPI_Comm_rank(work, &r));
  TRY(MPI_Comm_size(work, &n));
  *rank = r;
  *size = n;
  return OT_MPI_OK;
}

int ot_mpi_close(void) {
  if (work == MPI_COMM_NULL) {
    return OT_MPI_OK;
  }
  TRY(MPI_Comm_free(&work));
  TRY(MPI_Comm_free(&wake));
  if (started) {
    TRY(MPI_Finalize());
  }
  return OT_MPI_OK;
}

static MPI_Datatype type_of(int32_t item) {
  switch (item) {
    case 1:
      return MPI_BYTE;
    case 4:
      return MPI_INT32_T;
    case 8:
      return MPI_INT64_T;
    default:
      return MPI_DATATYPE_NULL;
  }
}

/* MPI counts in int: what does not fit is refused. Two arrays of `size` ints: counts, then where each begins. */
static int *layout(const int64_t *counts, int size) {
  int *both = malloc(2 * (size_t)size * sizeof *both);
  int64_t at = 0;
  for (int r = 0; both != NULL && r < size; r++) {
    if (counts[r] < 0 || at + counts[r] > INT_MAX) {
      free(both);
      return NULL;
    }
    both[r] = (int)counts[r];
    both[size + r] = (int)at;
    at += counts[r];
  }
  return both;
}

int ot_mpi_allgather(const void *own, const int64_t *counts, int32_t item, void *all) {
  int rank = 0, size = 0;
  MPI_Datatype type = type_of(item);
  if (work == MPI_COMM_NULL || counts == NULL || type == MPI_DATATYPE_NULL) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "not open, counts is null, or items are not of 1, 4 or 8 bytes");
  }
  TRY(MPI_Comm_rank(work, &rank));
  TRY(MPI_Comm_size(work, &size));
  int *to = layout(counts, size);
  if (to == NULL) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "more items than MPI counts (2^31 - 1), or no memory");
  }
  int code = MPI_Allgatherv(own, to[rank], type, all, to, to + size, type, work);
  free(to);
  return check(code, __func__);
}

int ot_mpi_alltoall(const void *parts, const int64_t *sent, int32_t item, void *all, const int64_t *received) {
  int size = 0;
  MPI_Datatype type = type_of(item);
  if (work == MPI_COMM_NULL || sent == NULL || received == NULL || type == MPI_DATATYPE_NULL) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "not open, counts are null, or items are not of 1, 4 or 8 bytes");
  }
  TRY(MPI_Comm_size(work, &size));
  int *from = layout(sent, size), *to = layout(received, size);
  int code = MPI_SUCCESS;
  if (from != NULL && to != NULL) {
    code = MPI_Alltoallv(parts, from, from + size, type, all, to, to + size, type, work);
  }
  int laid_out = from != NULL && to != NULL;
  free(from);
  free(to);
  if (!laid_out) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "more items than MPI counts (2^31 - 1), or no memory");
  }
  return check(code, __func__);
}

int ot_mpi_meet(double seconds, int32_t *met) {
  if (wake == MPI_COMM_NULL || met == NULL) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "not open, or met is null");
  }
  MPI_Request request;
  int done = 0;
  double start = MPI_Wtime();
  TRY(MPI_Ibarrier(wake, &request));
  do {
    TRY(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
#if !defined(_WIN32)
    if (!done) {
      struct timespec pause = {0, 1000000};
      nanosleep(&pause, NULL);
    }
#endif
  } while (!done && MPI_Wtime() - start < seconds);
  *met = done; /* a request that is left open ends with the job */
  return OT_MPI_OK;
}

int ot_mpi_abort(int32_t code) {
  if (work == MPI_COMM_NULL) {
    return fail(OT_MPI_INVALID_ARGUMENT, __func__, "not open");
  }
  return check(MPI_Abort(MPI_COMM_WORLD, code), __func__);
}
