/** What adopting staged images tells, one document after the other. */
export type ImportEvent =
  | {
      readonly kind: 'progress';
      /** Bytes of blobs that are in their place, of so many. */
      readonly bytes: number;
      readonly total: number;
    }
  | {
      readonly kind: 'adopted';
      /** Full names, as they can be pulled from now on. */
      readonly images: readonly string[];
      /** Those of them that are pinned now. */
      readonly pinned: readonly string[];
    };
