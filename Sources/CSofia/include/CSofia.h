#pragma once
#include <sys/select.h>
