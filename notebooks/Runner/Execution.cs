using System.Text.Json.Nodes;
using Microsoft.CodeAnalysis.CSharp.Scripting;
using Microsoft.CodeAnalysis.Scripting;

namespace OT.Notebooks.Runner;

/// <summary>Runs the code cells of a notebook one after the other in one C# script session and keeps what they show.</summary>
/// <remarks>
/// Shown are: what a cell writes to the console, and every <c>.svg</c> file that it saves to the current folder, which is how the same cell works as a
/// program and as a notebook. Outputs hold neither times nor paths, so that a second run changes nothing.
/// </remarks>
static class Execution
{
    // What the SDK imports into every file-based program.
    static readonly string[] s_imports =
    [
        "System",
        "System.Collections.Generic",
        "System.IO",
        "System.Linq",
        "System.Net.Http",
        "System.Threading",
        "System.Threading.Tasks",
    ];

    /// <summary>The notebook with fresh outputs.</summary>
    /// <exception cref="CellException">A cell did not compile, or threw.</exception>
    public static async Task<Notebook> RunAsync(Notebook notebook, string folder)
    {
        ScriptOptions options = ScriptOptions
            .Default.WithImports(s_imports)
            .WithReferences(
                typeof(object).Assembly,
                typeof(Enumerable).Assembly,
                typeof(Measure).Assembly,
                typeof(Visuals.PlanPicture).Assembly
            )
            .AddReferences(
                AppDomain
                    .CurrentDomain.GetAssemblies()
                    .Where(assembly => assembly.GetName().Name!.StartsWith("System.", StringComparison.Ordinal))
            )
            .WithLanguageVersion(Microsoft.CodeAnalysis.CSharp.LanguageVersion.Preview);
        Directory.CreateDirectory(folder);
        Environment.CurrentDirectory = folder;

        ScriptState<object>? state = null;
        var cells = new List<Cell>();
        foreach (Cell cell in notebook.Cells)
        {
            if (!cell.IsCode)
            {
                cells.Add(cell);
                continue;
            }
            foreach (string old in Directory.GetFiles(folder, "*.svg"))
                File.Delete(old);
            // The libraries are loaded already; #r lines are for other front ends.
            string code = string.Join(
                '\n',
                cell.Source.Split('\n').SkipWhile(line => line.StartsWith("#r ", StringComparison.Ordinal))
            );
            TextWriter console = Console.Out;
            using var written = new StringWriter { NewLine = "\n" };
            Console.SetOut(written);
            try
            {
                state = state is null ? await CSharpScript.RunAsync(code, options) : await state.ContinueWithAsync(code, options);
            }
            catch (Exception failure)
            {
                throw new CellException($"This cell failed:\n\n{code}\n\n{failure.GetType().Name}: {failure.Message}", failure);
            }
            finally
            {
                Console.SetOut(console);
            }
            cells.Add(cell with { Outputs = Outputs(written.ToString(), folder) });
        }
        return new Notebook(cells);
    }

    static JsonArray Outputs(string written, string folder)
    {
        var outputs = new JsonArray();
        if (written.Length > 0)
            outputs.Add(
                new JsonObject
                {
                    ["name"] = "stdout",
                    ["output_type"] = "stream",
                    ["text"] = Notebook.Lines(written),
                }
            );
        foreach (string picture in Directory.GetFiles(folder, "*.svg").Order(StringComparer.Ordinal))
        {
            outputs.Add(
                new JsonObject
                {
                    ["data"] = new JsonObject
                    {
                        ["image/svg+xml"] = Notebook.Lines(File.ReadAllText(picture)),
                        ["text/plain"] = Notebook.Lines(Path.GetFileName(picture)),
                    },
                    ["metadata"] = new JsonObject(),
                    ["output_type"] = "display_data",
                }
            );
        }
        return outputs;
    }
}

/// <summary>A cell did not compile, or threw.</summary>
sealed class CellException(string message, Exception inner) : Exception(message, inner);
