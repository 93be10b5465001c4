/* What the shadow roots of both elements have. */
const STYLE = `
:host { display: block; font: 14px/1.4 system-ui, sans-serif; }
:host([hidden]) { display: none; }
[hidden] { display: none !important; }
button { font: inherit; color: inherit; background: none; border: 1px solid; border-radius: .4em;
  padding: .4em 1em; cursor: pointer; }
:focus-visible { outline: 2px solid #2f81f7; outline-offset: 1px; }
.message:empty { display: none; }
`;

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

/**
 * Fills an element's shadow root.
 *
 * @param {HTMLElement} element @param {string} style @param {string} html
 */
export function furnish(element, style, html) {
  const root = element.attachShadow({ mode: "open" });
  root.adoptedStyleSheets = [STYLE, style].map(styleSheet);
  root.innerHTML = html;
  return root;
}

/** @param {string} words */
export const sentence = (words) => words && `${words[0].toUpperCase()}${words.slice(1)}.`;
