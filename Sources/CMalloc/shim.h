#pragma once
/* What the C library says of its allocator; the Glibc module leaves it out. */
#include <malloc.h>
