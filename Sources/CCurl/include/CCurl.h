// Swift cannot call variadic C functions, and curl_easy_setopt, curl_easy_getinfo and curl_multi_setopt are variadic:
// a typed function for each kind of argument.
#ifndef CCURL_H
#define CCURL_H

#include <curl/curl.h>

#endif
