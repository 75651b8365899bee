// epoll(7): Swift's Glibc module leaves it out.
#pragma once
#include <sys/epoll.h>
