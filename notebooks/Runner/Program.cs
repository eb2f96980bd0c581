using System.Diagnostics;
using OT.Notebooks.Runner;

// Notebooks are written as file-based programs, NN-name.cs; NN-name.ipynb is made from them by this tool.
//   generate   writes the cells of every notebook, keeping the outputs of unchanged ones
//   run        the same, and executes them and stores what they show
//   check      writes nothing; fails when a notebook differs from its program, lacks outputs, or does not run, as cells or as a program

string notebooks = Path.GetDirectoryName(FindUpwards("notebooks/Runner/OT.Notebooks.Runner.csproj"))!;
notebooks = Path.GetDirectoryName(notebooks)!;
string scratch = Path.Combine(Path.GetDirectoryName(notebooks)!, "artifacts", "notebooks");

if (args is not ["generate" or "run" or "check", .. var chosen])
{
    Console.Error.WriteLine("usage: OT.Notebooks.Runner generate|run|check [NN-name ...]");
    return 2;
}

int failures = 0;
foreach (string program in Directory.GetFiles(notebooks, "*.cs").Order(StringComparer.Ordinal))
{
    string name = Path.GetFileNameWithoutExtension(program);
    if (chosen.Length > 0 && !chosen.Contains(name))
        continue;
    var clock = Stopwatch.StartNew();
    try
    {
        string path = Path.ChangeExtension(program, ".ipynb");
        Notebook? stored = File.Exists(path) ? Notebook.FromJson(File.ReadAllText(path)) : null;
        Notebook notebook = Notebook.FromProgram(File.ReadAllText(program)).WithOutputsOf(stored);
        if (args[0] == "check")
            await CheckAsync(notebook, stored, program);
        else
        {
            Notebook written = args[0] == "run" ? await Execution.RunAsync(notebook, scratch) : notebook;
            File.WriteAllText(path, written.ToJson());
        }
        Console.WriteLine($"{name}: {args[0]} done in {clock.Elapsed.TotalSeconds:F1} s");
    }
    catch (Exception failure) when (failure is CellException or FormatException or IOException or InvalidOperationException)
    {
        failures++;
        Console.Error.WriteLine($"{name}: {failure.Message}");
    }
}
foreach (string orphan in Directory.GetFiles(notebooks, "*.ipynb").Where(path => !File.Exists(Path.ChangeExtension(path, ".cs"))))
{
    failures++;
    Console.Error.WriteLine($"{Path.GetFileName(orphan)} was made from no program: write its .cs file, or delete it.");
}
return failures == 0 ? 0 : 1;

async Task CheckAsync(Notebook notebook, Notebook? stored, string program)
{
    if (stored is null || !stored.HasCellsOf(notebook))
        throw new InvalidOperationException(
            "the .ipynb differs from the .cs: run 'dotnet run --project notebooks/Runner -- run' and commit both."
        );
    if (stored.Cells.All(cell => cell.Outputs.Count == 0))
        throw new InvalidOperationException(
            "the .ipynb holds no outputs: run 'dotnet run --project notebooks/Runner -- run' and commit it."
        );
    await Execution.RunAsync(notebook, scratch);
    var start = new ProcessStartInfo("dotnet", ["run", "-c", "Release", program])
    {
        WorkingDirectory = scratch,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        UseShellExecute = false,
    };
    using var process = Process.Start(start)!;
    Task<string> error = process.StandardError.ReadToEndAsync();
    string output = await process.StandardOutput.ReadToEndAsync();
    await process.WaitForExitAsync();
    if (process.ExitCode != 0)
        throw new InvalidOperationException(
            $"'dotnet run {Path.GetFileName(program)}' ended with {process.ExitCode}:\n{output}{await error}"
        );
}

static string FindUpwards(string path)
{
    for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
    {
        string candidate = Path.Combine(folder.FullName, path);
        if (File.Exists(candidate))
            return candidate;
    }
    throw new FileNotFoundException($"{path} lies in no folder above {AppContext.BaseDirectory}.");
}
