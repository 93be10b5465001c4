export { fetchSnapshot, sessionUrl, snapshotUrl } from "./access.js";
export { connect, RelayConnection } from "./connection.js";
export { RelayError } from "./errors.js";
export { allows, readClaims } from "./token.js";
