/*
 * libot: the C interface.
 *
 * Every function but ot_abi_version and ot_last_error returns a status, 0 when all went well, and writes its results through pointers.
 * No exception crosses this border. Texts belong to the library and stay valid until it is unloaded, unless said otherwise.
 */
#ifndef OT_H
#define OT_H

#if defined(_WIN32)
#if defined(OT_BUILD)
#define OT_API __declspec(dllexport)
#else
#define OT_API __declspec(dllimport)
#endif
#else
#define OT_API __attribute__((visibility("default")))
#endif

/* Raised whenever a function of this file changes its meaning or its parameters. */
#define OT_ABI_VERSION 1

#ifdef __cplusplus
extern "C" {
#endif

enum ot_status {
  OT_OK = 0,
  /* A pointer is null or a value is outside its range. */
  OT_INVALID_ARGUMENT = -1
};

/* The OT_ABI_VERSION that the library was built with. A caller built with another one must not call anything else. */
OT_API int ot_abi_version(void);

/* The release, such as "0.1.0". */
OT_API int ot_version(const char **text);

/* The instruction set that kernels of this library would use on this processor: "scalar", "avx2", "avx512" or "neon". */
OT_API int ot_isa(const char **name);

/*
 * What went wrong in the last failed call of this thread; "" when nothing has. Valid until the next failed call of this thread.
 * Successful calls leave it as it is.
 */
OT_API const char *ot_last_error(void);

#ifdef __cplusplus
}
#endif

#endif
