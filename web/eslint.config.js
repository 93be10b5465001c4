import js from "@eslint/js";
import globals from "globals";

export default [
  { ignores: ["node_modules/", "**/dist/", "watch/built/"] },
  js.configs.recommended,
  {
    languageOptions: { ecmaVersion: 2024, globals: { ...globals.browser, ...globals.node } },
    linterOptions: { reportUnusedDisableDirectives: "error" },
    rules: {
      curly: "error",
      eqeqeq: "error",
      "max-len": ["error", { code: 100 }],
      "max-lines-per-function": ["error", { max: 60, skipBlankLines: true }],
      "no-console": "error",
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-unused-vars": ["error", { caughtErrors: "none", varsIgnorePattern: "^_",
        argsIgnorePattern: "^_" }],
      "no-var": "error",
      "prefer-const": "error",
    },
  },
  {
    files: ["relay/test/", "**/*.test.js"],
    rules: { "max-lines-per-function": "off" },
  },
];
