#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>

#ifdef __SANITIZE_ADDRESS__
// OpenCV makes tables for Lab once and never frees them.
extern "C" __attribute__((visibility("default"))) const char*
__lsan_default_suppressions();                                                            // NOLINT
extern "C" const char* __lsan_default_suppressions() { return "leak:cv::fastMalloc\n"; }  // NOLINT
#endif
