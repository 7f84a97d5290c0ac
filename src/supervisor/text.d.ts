// Files that are part of the executable as text (supervisor layer): what is imported with `type: "text"` is a string. That of a
// page of HTML is declared by Bun as something else.

declare module "*.css" {
  const text: string;
  export = text;
}

declare module "*.js" {
  const text: string;
  export = text;
}
