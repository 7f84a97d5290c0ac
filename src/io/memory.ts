// Memory with an address (io layer), for layers that hand bytes to storage without seeing the kernel's side of it. The garbage
// collector neither owns nor moves it.

export { Arena as MappedMemory, OUT_OF_MEMORY } from "#ffi/arena.ts";
