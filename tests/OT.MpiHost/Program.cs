using Microsoft.Win32.SafeHandles;
using OT.Accelerators.Mpi;
using OT.MpiHost;

// What mpirun starts for the tests of the MPI back end: scenarios on every rank, one after the other, "then" between them. Rank 0 writes lines of a key and a value.
// Plain files, not the console's writers, which greet a terminal, and mpirun gives one.
using var error = new StreamWriter(new FileStream(new SafeFileHandle(2, ownsHandle: false), FileAccess.Write))
{
    AutoFlush = true,
};
return MpiCommunicator.Run(
    ranks =>
    {
        using TextWriter output =
            ranks.Rank == 0
                ? new StreamWriter(new FileStream(new SafeFileHandle(1, ownsHandle: false), FileAccess.Write))
                : TextWriter.Null;
        for (int at = 0; at < args.Length; )
        {
            int end = Array.IndexOf(args, "then", at);
            end = end < 0 ? args.Length : end;
            output.WriteLine($"scenario {string.Join(' ', args[at..end])}");
            Scenarios.Find(args[at])(ranks, args[(at + 1)..end], new Report(output));
            output.Flush();
            at = end + 1;
        }
        return 0;
    },
    error
);
