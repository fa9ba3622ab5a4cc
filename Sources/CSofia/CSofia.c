/* The implementation is in the files named by what they do. */
#include "CSofia.h"
