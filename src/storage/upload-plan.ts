// What is to become of an upload (storage layer): plain values that the policy has resolved for one request.
// Nothing here is the client's to choose but the name and the size that it announced.

import type { ByteString } from "#policy/names.ts";

export interface UploadPlan {
  /** Relative to the upload root, clean: no empty segment, no `..`, and the last one does not begin with a dot. */
  readonly path: ByteString;
  /** The client's address, without its port. */
  readonly client: string;
  readonly mayOverwrite: boolean;
  readonly mayCreateFolders: boolean;
  /** Whether several may write the name at a time, the last to complete winning; otherwise the first refuses the others. */
  readonly isShared: boolean;
  /** What the client announced (`tsize`); 0 is unknown. */
  readonly bytesExpected: number;
  /** 0 is unlimited. */
  readonly bytesMax: number;
  /** Bytes that must stay free on the disk; 0 is none. */
  readonly bytesFreeMin: number;
  readonly fileMode: number;
  /** Of folders that are created. */
  readonly folderMode: number;
  /** Owner of what is created; −1 leaves it to the kernel. */
  readonly userId: number;
  readonly groupId: number;
  /** Previous versions that are kept of an overwritten file. */
  readonly versionsMax: number;
  /** The folder beside the file that versions go to; empty for the file's own. */
  readonly versionsFolder: string;
  /** Whether the file and its name are made durable before it is over; otherwise that is left to the kernel, for whenever it gets to it. */
  readonly isSynced: boolean;
  readonly isHashed: boolean;
  /** Whether it is read back and compared before it is published. Implies hashing. */
  readonly isVerified: boolean;
}
