// Memory with an address (io layer), for layers that hand bytes to storage without seeing the kernel's side of it.

export { Arena as MappedMemory } from "#ffi/arena.ts";
