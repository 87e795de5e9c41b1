/** What can go wrong behind the catalog without any caller noticing. */
export type CatalogOperation =
  /** A file of the record could not be read, or holds something else; it counts as absent. */
  | 'record.read'
  /** A folder of the record could not be listed. */
  | 'record.list'
  /** What another replica knew could not be written to this one's disk. */
  | 'record.write'
  /** The shared cache could not be reached, refused, or was too slow. */
  | 'shared.connect'
  | 'shared.get'
  | 'shared.set'
  /** The shared cache held something that is not ours or is damaged; it counts as absent. */
  | 'shared.decode';

/** Is told what the catalog survives; telemetry implements it. No call may throw. */
export interface CatalogObserver {
  error(event: { readonly operation: CatalogOperation; readonly error: unknown }): void;
  /** The shared cache came (back) into use, or fell out of it. Never called where there is none. */
  up(isUp: boolean): void;
}
