/* Debian's libxml2: the parser with its limits, and its check of URIs. */
#pragma once
#include <libxml/xmlversion.h>
/* Its ICU is another one than Foundation's: a module that sees both headers does not build. Only a struct that is not
   used here differs by it. */
#undef LIBXML_ICU_ENABLED
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/uri.h>
#include <libxml/xmlerror.h>
