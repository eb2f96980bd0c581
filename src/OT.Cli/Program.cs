using System.Runtime.InteropServices;
using OT.Accelerators.Mpi;
using OT.Cli;

// The first interrupt asks for a stop, with what there is written; a second one ends the process.
using var interrupt = new CancellationTokenSource();
void Stop(PosixSignalContext context)
{
    context.Cancel = !interrupt.IsCancellationRequested;
    interrupt.Cancel();
}
using PosixSignalRegistration keyboard = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using PosixSignalRegistration terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
if (MpiCommunicator.LaunchedSize > 1)
    return RankedProgram.Run(args, interrupt.Token);
using TextWriter? plain = MpiCommunicator.IsLaunched ? RankedProgram.Plain(1) : null;
return CommandLine.Run(
    args,
    Console.OpenStandardInput,
    plain ?? Console.Out,
    Console.Error,
    !Console.IsErrorRedirected,
    cancellation: interrupt.Token
);
