/* Tokens are checked by the relay. What is read here only serves to say things in time. */

/**
 * @typedef {{topic?: string, scopes?: string[], exp?: number, booking_id?: string}} Claims
 */

/**
 * The claims of a token, unchecked; an empty object for anything that is none.
 *
 * @param {string} token
 * @returns {Claims}
 */
export function readClaims(token) {
  try {
    const part = token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    const bytes = Uint8Array.from(atob(part), (character) => character.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    return claims && typeof claims === "object" ? claims : {};
  } catch {
    return {};
  }
}

/**
 * @param {string} token
 * @param {"read" | "write"} scope
 */
export function allows(token, scope) {
  const { scopes } = readClaims(token);
  return Array.isArray(scopes) && scopes.includes(scope);
}

/**
 * By this machine's clock, which may be wrong: only to explain a refusal.
 *
 * @param {string} token
 */
export function isExpired(token, now = Date.now()) {
  const { exp } = readClaims(token);
  return typeof exp === "number" && exp * 1000 <= now;
}
