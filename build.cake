using System.Runtime.InteropServices;
using System.Xml.Linq;

string target = Argument("target", "Test");
string configuration = Argument("configuration", "Release");

DirectoryPath artifacts = MakeAbsolute(Directory("artifacts"));
DirectoryPath testResults = artifacts.Combine("tests");
string rid = Argument("rid", HostRid());
bool nativeBuilt = false;
bool notebooksRun = false;
int passed = 0;
int failed = 0;
int skipped = 0;

// The results close the output of build.sh, after Cake's own report. No tests, no line.
Teardown(_ =>
{
    if (passed + failed + skipped > 0)
    {
        EnsureDirectoryExists(artifacts);
        System.IO.File.WriteAllText(
            artifacts.CombineWithFilePath("summary.txt").FullPath,
            $"{passed} passed, {failed} failed, {skipped} skipped\n"
        );
    }
});

Task("Format")
    .Description("Checks that every C# file has the layout that csharpier gives it.")
    .Does(() => Run("dotnet", "csharpier", "check", "."));

Task("Native")
    .Description("Builds and tests libot with CMake, where a compiler is found.")
    .Does(() =>
    {
        DirectoryPath build = artifacts.Combine("native-build");
        DirectoryPath output = artifacts.Combine("native");
        DirectoryPath forTests = artifacts.Combine("native-test");
        CleanDirectories([build.FullPath, output.FullPath, forTests.FullPath]);

        string[] missing = MissingNativeTools();
        if (missing.Length > 0)
        {
            Warning($"libot is left out: {string.Join(" and ", missing)} not found. The managed build goes on without it.");
            return;
        }
        Run(
            "cmake",
            "-S",
            "native",
            "-B",
            build.FullPath,
            "-DCMAKE_BUILD_TYPE=Release",
            $"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={output.Combine(HostRid()).FullPath}",
            $"-DOT_TEST_LIBRARIES={forTests.FullPath}",
            $"-DCMAKE_RUNTIME_OUTPUT_DIRECTORY_RELEASE={build.Combine("bin").FullPath}"
        );
        Run("cmake", "--build", build.FullPath, "--config", "Release");
        if (IsRunningOnWindows())
        {
            EnsureDirectoryExists(output.Combine(HostRid()));
            CopyFiles(build.Combine("bin").CombineWithFilePath("*.dll").FullPath, output.Combine(HostRid()));
        }
        Run("ctest", "--test-dir", build.FullPath, "-C", "Release", "--output-on-failure");
        nativeBuilt = true;
    });

Task("Ptx")
    .Description("Compiles the kernels of native/gpu to PTX in native/gpu/ptx; needs clang 19, and no CUDA toolkit.")
    .Does(() =>
    {
        const string tests = "tests/OT.Accelerators.Tests";
        DotNetBuild(tests, new DotNetBuildSettings { Configuration = configuration, Verbosity = DotNetVerbosity.Minimal });
        int exitCode = StartProcess(
            "dotnet",
            new ProcessSettings
            {
                Arguments = Arguments([
                    "exec",
                    $"{tests}/bin/{configuration}/net10.0/OT.Accelerators.Tests.dll",
                    "--no-progress",
                    "--filter-method",
                    "*Ptx_was_made_from_the_present_sources",
                ]),
                EnvironmentVariables = new Dictionary<string, string> { ["OT_PTX"] = "write" },
            }
        );
        if (exitCode != 0)
            throw new CakeException($"the kernels do not compile: exit code {exitCode}.");
    });

Task("Build")
    .Description("Builds the solution; every warning is an error.")
    .Does(() => DotNetBuild("OT.sln", new DotNetBuildSettings { Configuration = configuration, Verbosity = DotNetVerbosity.Minimal }));

Task("Test")
    .Description("Builds everything, runs the quick tests and the notebooks.")
    .IsDependentOn("Native")
    .IsDependentOn("Build")
    .Does(() => RunTests(full: false));

Task("Full")
    .Description("As Test, with every test and the full number of generated cases.")
    .IsDependentOn("Native")
    .IsDependentOn("Build")
    .Does(() => RunTests(full: true));

Task("Notebooks")
    .Description("Executes every notebook, as cells and as a program.")
    .IsDependentOn("Build")
    .WithCriteria(() => !notebooksRun, "Test has run them.")
    .Does(() =>
    {
        RunNotebooks();
        ThrowIfFailed();
    });

Task("Bench")
    .Description("Runs the benchmarks that --filter=PATTERN names, all when left out.")
    .IsDependentOn("Native")
    .IsDependentOn("Build")
    .Does(() =>
        Run(
            "dotnet",
            "run",
            "--no-build",
            "-c",
            configuration,
            "--project",
            "benchmarks/OT.Benchmarks",
            "--",
            "--filter",
            Argument("filter", "*")
        )
    );

Task("Peers")
    .Description("Times other libraries beside this one; needs Python with numpy, scipy and POT.")
    .IsDependentOn("Publish")
    .Does(() =>
        Run(
            Argument("python", "python3"),
            "benchmarks/peers/run.py",
            "--ot",
            artifacts.Combine("publish").Combine(rid).CombineWithFilePath("ot").FullPath,
            "--rows",
            Argument("rows", "all")
        )
    );

Task("Pack")
    .Description("Makes the packages, in artifacts/packages.")
    .IsDependentOn("Native")
    .Does(() =>
    {
        DirectoryPath output = artifacts.Combine("packages");
        CleanDirectory(output);
        DotNetPack(
            "OT.sln",
            new DotNetPackSettings
            {
                Configuration = configuration,
                OutputDirectory = output,
                Verbosity = DotNetVerbosity.Minimal,
            }
        );
    });

Task("Publish")
    .Description("Publishes a trimmed, self-contained, precompiled ot command in artifacts/publish/<rid>; --rid=RID for another system.")
    .IsDependentOn("Native")
    .Does(() =>
    {
        DirectoryPath output = artifacts.Combine("publish").Combine(rid);
        CleanDirectory(output);
        DotNetPublish(
            "src/OT.Cli/OT.Cli.csproj",
            new DotNetPublishSettings
            {
                Configuration = configuration,
                Runtime = rid,
                SelfContained = true,
                OutputDirectory = output,
                Verbosity = DotNetVerbosity.Minimal,
                PublishReadyToRun = true,
                PublishTrimmed = true,
                // Each trim warning by itself, and as an error.
                MSBuildSettings = new DotNetMSBuildSettings().WithProperty("TrimmerSingleWarn", "false").WithProperty("TreatWarningsAsErrors", "true").WithProperty("ILLinkTreatWarningsAsErrors", "true").WithProperty("PublishReferencesDocumentationFiles", "false").WithProperty("PublishDocumentationFiles", "false"),
            }
        );
    });

Task("Ci")
    .Description("What continuous integration runs.")
    .IsDependentOn("Format")
    .IsDependentOn("Native")
    .IsDependentOn("Build")
    .IsDependentOn("Test")
    .IsDependentOn("Notebooks")
    .IsDependentOn("Publish");

RunTarget(target);

void RunTests(bool full)
{
    CleanDirectory(testResults);
    foreach (FilePath project in GetFiles("tests/*.Tests/*.csproj"))
        RunTestsOf(project, project.GetFilenameWithoutExtension().FullPath, full);
    // A second BLAS: the tests above took the system's.
    if (EnvironmentVariable("OT_TEST_MKL") is { Length: > 0 } mkl)
        RunTestsOf(
            "tests/OT.Accelerators.Tests/OT.Accelerators.Tests.csproj",
            "MKL",
            full,
            mkl,
            "--filter-class",
            "*Blas*"
        );
    RunNotebooks();
    ThrowIfFailed();
}

void RunTestsOf(FilePath project, string name, bool full, string nativePath = "", params string[] filter)
{
    string report = name + ".xml";
    string program = project.GetFilenameWithoutExtension().FullPath + ".dll";
    string[] effort = full || filter.Length > 0 ? filter : ["--filter-not-trait", "Effort=full"];
    string required = EnvironmentVariable("OT_REQUIRE", nativeBuilt ? Built() : "");
    var variables = new Dictionary<string, string>
    {
        ["OT_EFFORT"] = full ? "full" : "quick",
        // What was built must be found: a test that needs it fails instead of being skipped.
        ["OT_REQUIRE"] = nativePath.Length > 0 ? required + ",mkl" : required,
    };
    if (nativePath.Length > 0)
        variables["OT_NATIVE_PATH"] = nativePath;
    int exitCode = StartProcess(
        "dotnet",
        new ProcessSettings
        {
            Arguments = Arguments([
                "exec",
                project.GetDirectory().Combine($"bin/{configuration}/net10.0").CombineWithFilePath(program).FullPath,
                "--no-progress",
                "--results-directory",
                testResults.FullPath,
                "--report-xunit",
                "--report-xunit-filename",
                report,
                .. effort,
            ]),
            EnvironmentVariables = variables,
        }
    );
    Count(name, exitCode, testResults.CombineWithFilePath(report));
}

void Count(string name, int exitCode, FilePath report)
{
    int failedBefore = failed;
    if (FileExists(report))
    {
        foreach (XElement assembly in XDocument.Load(report.FullPath).Descendants("assembly"))
        {
            passed += (int)assembly.Attribute("passed");
            failed += (int)assembly.Attribute("failed") + (int)assembly.Attribute("errors");
            skipped += (int)assembly.Attribute("skipped");
        }
    }
    // A run that ended badly without a failed test (a crash, no tests at all) is a failure of its own.
    if (exitCode != 0 && failed == failedBefore)
    {
        Error($"{name} ended with exit code {exitCode}.");
        failed++;
    }
}

void RunNotebooks()
{
    notebooksRun = true;
    foreach (FilePath notebook in GetFiles("notebooks/*.cs"))
    {
        string name = notebook.GetFilenameWithoutExtension().FullPath;
        int exitCode = StartProcess(
            "dotnet",
            new ProcessSettings
            {
                Arguments = Arguments(["run", "-c", configuration, "--project", "notebooks/Runner", "--", "check", name]),
            }
        );
        if (exitCode == 0)
            passed++;
        else
            failed++;
    }
}

void ThrowIfFailed()
{
    if (failed > 0)
        throw new CakeException($"{failed} failed.");
}

// What the Native target built, by the names that OT_REQUIRE knows: libot always, the MPI shim where an MPI was found.
string Built() =>
    GetFiles($"{artifacts.Combine("native")}/*/*ot_mpi*").Any() ? "native,mpi" : "native";

string[] MissingNativeTools()
{
    if (Context.Tools.Resolve(IsRunningOnWindows() ? "cmake.exe" : "cmake") is null)
        return ["CMake"];
    if (IsRunningOnWindows())
        return []; // CMake finds Visual Studio by itself.
    var missing = new List<string>();
    if (!HasEnvironmentVariable("CXX") && new[] { "c++", "g++", "clang++" }.All(name => Context.Tools.Resolve(name) is null))
        missing.Add("a C++ compiler");
    if (!HasEnvironmentVariable("CC") && new[] { "cc", "gcc", "clang" }.All(name => Context.Tools.Resolve(name) is null))
        missing.Add("a C compiler");
    if (new[] { "make", "gmake", "ninja" }.All(name => Context.Tools.Resolve(name) is null))
        missing.Add("make");
    return [.. missing];
}

string HostRid()
{
    string system =
        IsRunningOnWindows() ? "win"
        : IsRunningOnMacOs() ? "osx"
        : "linux";
    return $"{system}-{RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant()}";
}

ProcessArgumentBuilder Arguments(IEnumerable<string> values)
{
    var builder = new ProcessArgumentBuilder();
    foreach (string value in values)
        builder.AppendQuoted(value);
    return builder;
}

void Run(string command, params string[] arguments)
{
    int exitCode = StartProcess(command, new ProcessSettings { Arguments = Arguments(arguments) });
    if (exitCode != 0)
        throw new CakeException($"{command} {string.Join(' ', arguments)} ended with exit code {exitCode}.");
}
