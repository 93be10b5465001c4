/* In place of a package that the page does without. */
throw new Error("not part of this page");
