/* Packages without declarations of their own. */
declare module "@cycjimmy/jsmpeg-player";
