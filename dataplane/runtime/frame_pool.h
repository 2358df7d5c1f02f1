// Memory of coroutine frames: a free list for each size class, for each thread.
//
// A frame is freed on the thread that made it (a connection lives and dies on one worker). In steady state a worker
// takes nothing from the heap. The thread's lists return to the heap when the thread ends.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fairlead::runtime {

void* allocate_frame(size_t size);
void free_frame(void* frame, size_t size) noexcept;

// Gives those of this thread's free frames back to the heap that nobody has needed between the last call and the one
// before it, and since. How many bytes that were.
size_t trim_frames();

// How often this thread's frames came from the heap; for tests.
uint64_t frames_from_heap();

}  // namespace fairlead::runtime
