/*
 * Memory that begins where a page does, as a disk wants it that takes bytes past the page cache
 * (open(2), O_DIRECT). A Buffer begins anywhere; the memory of a WebAssembly module, of which this is
 * all that is used, begins with a page.
 */

/** As much of it as is used here; the types of Node leave it out. */
declare const WebAssembly: {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => {
    readonly buffer: ArrayBuffer;
  };
};

/** Bytes of a page of WebAssembly. */
const wasmPage = 64 * 1024;

/** Bytes of a block: a disk is as fast with it as with larger ones. */
const blockSize = 4 * 1024 * 1024;

/** One that is filled, one that is written, and one that the disk can begin with as soon as it is done. */
const blocksTogether = 3;

/** Sets that are kept for the next file. */
const mostKept = 2;

/** Blocks for one file. */
export interface Blocks {
  /** Those that are not in use. */
  readonly free: Buffer[];
  readonly isAligned: boolean;
  /** Gives them back; nothing may read or write them any more. */
  readonly giveBack: () => void;
}

interface Memory {
  readonly blocks: readonly Buffer[];
  readonly isAligned: boolean;
}

const kept: Memory[] = [];

/** Blocks for one file. They are not aligned where the process may not have so much of the address space. */
export function takeBlocks(): Blocks {
  const memory = kept.pop() ?? allocate();
  let isTaken = true;
  return {
    free: [...memory.blocks],
    isAligned: memory.isAligned,
    giveBack: () => {
      if (isTaken && kept.length < mostKept) kept.push(memory);
      isTaken = false;
    },
  };
}

function allocate(): Memory {
  const size = blocksTogether * blockSize;
  let buffer: ArrayBuffer;
  let isAligned = true;
  try {
    const pages = size / wasmPage;
    ({ buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages }));
  } catch {
    buffer = new ArrayBuffer(size);
    isAligned = false;
  }
  const blocks = Array.from({ length: blocksTogether }, (_, index) =>
    Buffer.from(buffer, index * blockSize, blockSize),
  );
  return { blocks, isAligned };
}
