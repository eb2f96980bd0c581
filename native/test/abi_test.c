/* Calls the library as a C program does: the header is plain C, the statuses and texts are what it says. */
#include "ot.h"

#include <stdio.h>
#include <string.h>

static int failures = 0;

#define CHECK(condition)                                              \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
      failures++;                                                     \
    }                                                                 \
  } while (0)

static int is_one_of(const char *text, const char *const *choices, int count) {
  for (int k = 0; k < count; k++) {
    if (strcmp(text, choices[k]) == 0) {
      return 1;
    }
  }
  return 0;
}

#if !defined(_WIN32)
#include <pthread.h>

static void *error_of_fresh_thread(void *result) {
  *(int *)result = strcmp(ot_last_error(), "") == 0;
  return NULL;
}

static void check_error_is_per_thread(void) {
  pthread_t thread;
  int empty = 0;
  CHECK(pthread_create(&thread, NULL, error_of_fresh_thread, &empty) == 0);
  CHECK(pthread_join(thread, NULL) == 0);
  CHECK(empty);
}
#else
static void check_error_is_per_thread(void) {}
#endif

int main(void) {
  static const char *const isas[] = {"scalar", "avx2", "avx512", "neon"};
  const char *version = NULL;
  const char *isa = NULL;
  int32_t best = -1;

  CHECK(ot_abi_version() == OT_ABI_VERSION);
  CHECK(strcmp(ot_last_error(), "") == 0);

  CHECK(ot_version(&version) == OT_OK);
  CHECK(version != NULL && strlen(version) >= strlen("0.0.0"));
  CHECK(ot_best_isa(&best) == OT_OK);
  CHECK(ot_isa_name(best, &isa) == OT_OK);
  CHECK(isa != NULL && is_one_of(isa, isas, 4));

  CHECK(ot_version(NULL) == OT_INVALID_ARGUMENT);
  CHECK(strcmp(ot_last_error(), "ot_version: text is null") == 0);
  CHECK(ot_best_isa(NULL) == OT_INVALID_ARGUMENT);
  CHECK(strcmp(ot_last_error(), "ot_best_isa: isa is null") == 0);
  CHECK(ot_isa_name(best, NULL) == OT_INVALID_ARGUMENT);
  CHECK(strcmp(ot_last_error(), "ot_isa_name: name is null") == 0);
  CHECK(ot_isa_name(best + 1, &isa) == OT_UNSUPPORTED);
  CHECK(ot_isa_name(-1, &isa) == OT_UNSUPPORTED);
  check_error_is_per_thread();

  if (failures == 0) {
    printf("libot %s, %s\n", version, isa);
  }
  return failures == 0 ? 0 : 1;
}
