/**
 * A sheet for a shadow root. Made by script, it is allowed by a page's Content-Security-Policy that
 * allows no inline styles.
 *
 * @param {string} text
 */
export function styleSheet(text) {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(text);
  return sheet;
}
