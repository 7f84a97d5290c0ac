// Short sleeps of a thread (io layer), which datagrams do not end: for who has so many clients that some are ready at any time, and
// would rather find several together than be woken for each.

export { nap, setTimerSlack } from "#ffi/nap.ts";
